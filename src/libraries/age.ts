/** age: encrypted backups. */
export { armor, Decrypter, Encrypter } from "age-encryption";
