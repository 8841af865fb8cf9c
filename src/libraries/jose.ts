/** What rekey makes with jose; what only reads starts without it. */
export { CompactEncrypt, jwtVerify, SignJWT } from "jose";
