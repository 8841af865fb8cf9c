// Members of a header that no token may have, whatever its algorithm is; each as a JSON text.

/** Members that bring a key, or say where one is: RFC 8725 §3.10 and §2.8. @param jwk the attacker's own. */
export function keyMembers(jwk: object): string[] {
  return [
    `"jwk":${JSON.stringify(jwk)}`,
    '"jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}',
    '"jwk":null',
    '"jku":"https://attacker.example/jwks.json"',
    '"jku":"file:///dev/null"',
    '"x5u":"http://127.0.0.1:8700/rotate"',
    '"x5c":["MIIB"]',
    '"x5c":[]',
  ];
}

/** Members that change how the rest is to be read, and members of a wrong type. */
export const REFUSED_MEMBERS: readonly string[] = [
  ...['"crit":["exp"]', '"crit":["b64"],"b64":true', '"crit":[]', '"crit":null', '"crit":["crit"]'],
  ...['"b64":false', '"b64":false,"crit":["b64"]', '"zip":"DEF"', '"enc":"A256GCM"', '"cty":"JWT"'],
  ...['"cty":"jwt"', '"cty":""', '"cty":null', '"typ":null', '"typ":7', '"typ":["JWT"]'],
];
