/** jose: signing and encryption. Commands that only verify do not load it. */
export { CompactEncrypt, jwtVerify, SignJWT } from "jose";
