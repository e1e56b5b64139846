"""What ran, said in archlens' own ops: operators under torch's names become the layers of a network.

Two doors lead here, a module that ran and a file that lists operators; this room knows neither of them.
"""
