#include <errno.h>
#include <jansson.h>
#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *member(json_t *ask, const char *name) {
  const char *value = json_string_value(json_object_get(ask, name));
  if (value == NULL) exit(2);
  return value;
}

static int sign(json_t *ask, jwt_alg_t alg) {
  const char *key = member(ask, "key");
  char *claims = json_dumps(json_object_get(ask, "claims"), 0);
  jwt_t *jwt;
  if (jwt_new(&jwt) || jwt_add_grants_json(jwt, claims)) return 2;
  if (jwt_set_alg(jwt, alg, (const unsigned char *)key, strlen(key))) return 2;
  puts(jwt_encode_str(jwt));
  return 0;
}

static int verify(json_t *ask, jwt_alg_t alg) {
  const char *key = member(ask, "key");
  jwt_t *jwt;
  int error = jwt_decode(&jwt, member(ask, "token"), (const unsigned char *)key, strlen(key));
  if (error == ENOMEM) return 2;
  if (error || jwt_get_alg(jwt) != alg) {
    fprintf(stderr, "refused: %s\n", error ? strerror(error) : "another algorithm");
    return 1;
  }
  puts(jwt_get_grants_json(jwt, NULL));
  return 0;
}

int main(int argc, char **argv) {
  json_t *ask = json_loadf(stdin, 0, NULL);
  if (ask == NULL || argc != 3) return 2;
  jwt_alg_t alg = jwt_str_alg(argv[2]);
  return strcmp(argv[1], "sign") == 0 ? sign(ask, alg) : verify(ask, alg);
}
