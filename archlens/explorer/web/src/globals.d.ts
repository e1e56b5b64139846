declare const WORKER: string;
