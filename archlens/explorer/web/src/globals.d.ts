declare const WORKER: string;
declare module "*.css" {
  const text: string;
  export default text;
}
