"""The kinds of sections, and which options each has."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WINDOW = _words("size stride stride_x stride_y pad padding dilation groups")
_RECURRENT = _words("output hidden batch_normalize activation logistic shortcut")
_BOXES = _words(
    """classes num mask anchors jitter resize ignore_thresh truth_thresh iou_thresh random max map
    counters_per_class iou_loss iou_normalizer cls_normalizer obj_normalizer delta_normalizer uc_normalizer
    scale_x_y iou_thresh_kind nms_kind beta_nms max_delta objectness_smooth label_smooth_eps"""
)
_ANCHORED = _words(
    """classes num coords jitter resize rescore random max sqrt softmax coord_scale object_scale
    noobject_scale class_scale"""
)

#: The kinds, and the options that each has beside those of all; most of them serve training.
OPTIONS: dict[str, frozenset[str]] = {
    "convolutional": _WINDOW
    | _words(
        """filters activation batch_normalize cbn antialiasing share_index binary xnor bin_output flipped dot
        sway rotate stretch stretch_sway angle grad_centr reverse coordconv assisted_excitation"""
    ),
    "deconvolutional": _words("filters size stride pad padding activation batch_normalize"),
    "local": _words("filters size stride pad activation"),
    "connected": _words("output activation batch_normalize"),
    "maxpool": _words(
        """size stride stride_x stride_y padding maxpool_depth out_channels antialiasing
        maxpool_zero_nonmax"""
    ),
    "local_avgpool": _words("size stride stride_x stride_y padding"),
    "avgpool": _words(""),
    "route": _words("layers groups group_id"),
    "shortcut": _words("from activation weights_type weights_normalization alpha beta"),
    "scale_channels": _words("from scale_wh activation"),
    "sam": _words("from activation"),
    "upsample": _words("stride scale"),
    "reorg": _words("stride reverse flatten extra"),
    "reorg3d": _words("stride reverse"),
    "crop": _words("crop_height crop_width flip angle saturation exposure shift noadjust"),
    "dropout": _words("probability dropblock dropblock_size_rel dropblock_size_abs"),
    "normalization": _words("size alpha beta kappa"),
    "batchnorm": _words(""),
    "activation": _words("activation"),
    "logistic": _words(""),
    "l2norm": _words(""),
    "softmax": _words("groups temperature tree spatial noloss"),
    "implicit": _words("filters atoms mean std"),
    "rnn": _RECURRENT,
    "gru": _RECURRENT,
    "lstm": _RECURRENT,
    "crnn": _WINDOW | _RECURRENT | {"xnor"},
    "conv_lstm": _WINDOW
    | _RECURRENT
    | _words("xnor peephole bottleneck state_constrain lstm_activation time_normalizer"),
    "history": _words("history_size"),
    "empty": _words(""),
    "cost": _words("type scale ratio"),
    "contrastive": _words(
        "classes temperature yolo_layer steps max_boxes cls_normalizer max_delta contrastive_neg_max"
    ),
    "yolo": _BOXES
    | _words(
        """new_coords show_details focal_loss embedding_layer track_history_size sim_thresh dets_for_track
        dets_for_show track_ciou_norm use_dynamic_weights"""
    ),
    "Gaussian_yolo": _BOXES | {"yolo_point"},
    "region": _ANCHORED
    | _words("anchors log background focal_loss thresh classfix absolute mask_scale bias_match tree map"),
    "detection": _ANCHORED | _words("side forced reorg"),
    "iseg": _words("classes ids"),
}

#: The options of all sections; they serve training, or the order in which a graphics card works.
ANY = _words(
    """clip onlyforward dont_update burnin_update stopbackward train_only_bn dontload dontloadscales dontsave
    numload learning_rate smooth truth stream wait_stream"""
)

#: The options of the whole network that say what goes in; all others there serve training.
INPUTS = _words("width height channels inputs")

#: Other names of sections.
ALIASES = {
    "network": "net",
    "conv": "convolutional",
    "deconv": "deconvolutional",
    "conn": "connected",
    "max": "maxpool",
    "avg": "avgpool",
    "local_avg": "local_avgpool",
    "lrn": "normalization",
    "soft": "softmax",
    "silence": "empty",
}
