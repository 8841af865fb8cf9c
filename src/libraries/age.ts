/** What rekey uses of the age format: backups and restorations. */
export { armor, Decrypter, Encrypter } from "age-encryption";
