-- For nginx with Lua: lets a request through that has a token which one of the keys verifies that rekey has delivered.
-- docs/presets/nginx-lua.md shows the configuration. The file of keys is read for each request, and parsed when it has
-- changed: nothing is to be reloaded.
local base64 = require "ngx.base64"
local cjson = require("cjson").new()
local ffi = require "ffi"

-- Else it takes NaN and Infinity, which are no JSON.
cjson.decode_invalid_numbers(false)

-- libcrypto is part of nginx; ngx_lua itself has HMAC with SHA-1 only.
ffi.cdef [[
typedef struct evp_md_st rekey_md;
const rekey_md *EVP_sha256(void);
const rekey_md *EVP_sha384(void);
const rekey_md *EVP_sha512(void);
unsigned char *HMAC(const rekey_md *md, const void *key, int key_length, const unsigned char *text, size_t length,
  unsigned char *digest, unsigned int *digest_length);
int CRYPTO_memcmp(const void *a, const void *b, size_t length);

typedef struct evp_pkey_st rekey_pkey;
typedef struct evp_md_ctx_st rekey_md_ctx;
typedef struct evp_pkey_ctx_st rekey_pkey_ctx;
rekey_pkey *d2i_PUBKEY(rekey_pkey **key, const unsigned char **bytes, long length);
void EVP_PKEY_free(rekey_pkey *key);
rekey_md_ctx *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(rekey_md_ctx *context);
int EVP_DigestVerifyInit(rekey_md_ctx *context, rekey_pkey_ctx **key_context, const rekey_md *md, void *engine,
  rekey_pkey *key);
int EVP_DigestVerify(rekey_md_ctx *context, const unsigned char *signature, size_t signature_length,
  const unsigned char *text, size_t length);
int EVP_PKEY_CTX_set_rsa_padding(rekey_pkey_ctx *context, int padding);
int EVP_PKEY_CTX_set_rsa_pss_saltlen(rekey_pkey_ctx *context, int length);
void ERR_clear_error(void);
]]

local HASHES = { ["256"] = ffi.C.EVP_sha256(), ["384"] = ffi.C.EVP_sha384(), ["512"] = ffi.C.EVP_sha512() }
local ECDSA_BYTES = { ["256"] = 64, ["384"] = 96, ["512"] = 132 }
local PSS_PADDING, AS_LONG_AS_THE_HASH = 6, -1
local TOKEN = "^[Bb][Ee][Aa][Rr][Ee][Rr] +([%w_-]+)%.([%w_-]+)%.([%w_-]+)$"

-- RFC 8725 section 3: parameters that give the token another meaning, or bring a key of its own.
local REFUSED_PARAMETERS = { "crit", "b64", "jwk", "jku", "x5c", "x5u", "zip", "enc" }

local digest = ffi.new "unsigned char[64]"
local digest_length = ffi.new "unsigned int[1]"

-- What each file held when it was read last, and its keys.
local texts, sets = {}, {}

-- Tokens whose signature was checked since a file has changed last, by file and header line.
local MOST_KNOWN = 1000
local known, known_count = {}, 0

local function forget()
  known, known_count = {}, 0
end

local function public_key(der)
  local bytes = ffi.new("const unsigned char *[1]", ffi.cast("const unsigned char *", der))
  local key = ffi.C.d2i_PUBKEY(nil, bytes, #der)
  assert(key ~= nil, "no public key")
  return ffi.gc(key, ffi.C.EVP_PKEY_free)
end

local function parsed(text)
  local set = cjson.decode(text).keys
  for _, key in pairs(set) do
    key.scheme, key.hash = key.alg:sub(1, 2), HASHES[key.alg:sub(3)]
    -- The key says of which kind it is: a public key is never an HMAC secret.
    if key.scheme == "HS" then
      key.bytes = assert(ngx.decode_base64(key.base64))
    else
      key.public = public_key(assert(ngx.decode_base64(key.spki)))
      key.signature_length = key.scheme == "ES" and ECDSA_BYTES[key.alg:sub(3)] or nil
    end
    key.base64, key.spki = nil, nil
    key.over = key.expires_at ~= cjson.null and key.expires_at:gsub("Z$", "") or nil
  end
  return set
end

local function keys_in(path)
  local file, fault = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  if not text then
    ngx.log(ngx.ERR, "rekey: cannot read the keys: ", fault or path)
    return nil
  end
  if texts[path] ~= text then
    local done, set = pcall(parsed, text)
    -- Without the message: a parser's may quote what it has read.
    if not done then ngx.log(ngx.ERR, "rekey: cannot read the keys: ", path, " is damaged") end
    texts[path], sets[path] = text, done and set or nil
    forget()
  end
  return sets[path]
end

local function object_of(encoded)
  local text = base64.decode_base64url(encoded)
  local done, value = pcall(cjson.decode, text)
  local is_object = done and type(value) == "table" and text:find "^%s*{"
  return is_object and value or nil
end

local function is_refused(header)
  if header.kid ~= nil and type(header.kid) ~= "string" then return true end
  for _, name in ipairs(REFUSED_PARAMETERS) do
    if header[name] ~= nil then return true end
  end
  return false
end

-- An issuer repeats its header, so the last one is nearly always this one too.
local last_head, last_header

local function header_of(head)
  if head ~= last_head then
    local header = object_of(head)
    last_header = header and not is_refused(header) and header or nil
    last_head = head
  end
  return last_header
end

-- Also where rekey has not come to take the key out of the file. RFC 3339 in UTC sorts as text.
local function is_over(key)
  if key.over == nil then return false end
  local now = ngx.now()
  local milliseconds = math.floor((now % 1) * 1000)
  return os.date("!%Y-%m-%dT%H:%M:%S", now) .. string.format(".%03d", milliseconds) >= key.over
end

-- An integer of ASN.1, from its bytes.
local function integer(bytes)
  bytes = bytes:gsub("^%z+", "")
  if bytes == "" or bytes:byte() > 127 then bytes = "\0" .. bytes end
  return "\2" .. string.char(#bytes) .. bytes
end

-- A token has R and S side by side (RFC 7518 section 3.4); libcrypto wants them in ASN.1.
local function in_asn1(signature)
  local body = integer(signature:sub(1, #signature / 2)) .. integer(signature:sub(#signature / 2 + 1))
  local length = #body > 127 and "\129" .. string.char(#body) or string.char(#body)
  return "\48" .. length .. body
end

local function is_signed_by(key, signed, signature)
  if key.signature_length and #signature ~= key.signature_length then return false end
  if key.scheme == "ES" then signature = in_asn1(signature) end
  local context = ffi.gc(ffi.C.EVP_MD_CTX_new(), ffi.C.EVP_MD_CTX_free)
  local key_context = ffi.new "rekey_pkey_ctx *[1]"
  local is_valid = ffi.C.EVP_DigestVerifyInit(context, key_context, key.hash, nil, key.public) == 1
    and (key.scheme ~= "PS" or ffi.C.EVP_PKEY_CTX_set_rsa_padding(key_context[0], PSS_PADDING) == 1)
    and (key.scheme ~= "PS" or ffi.C.EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context[0], AS_LONG_AS_THE_HASH) == 1)
    and ffi.C.EVP_DigestVerify(context, signature, #signature, signed, #signed) == 1
  -- nginx would log what libcrypto says of a bad signature at the next error of its own.
  if not is_valid then ffi.C.ERR_clear_error() end
  return is_valid
end

local function is_signed_with(key, signed, signature)
  if key.public then return is_signed_by(key, signed, signature) end
  ffi.C.HMAC(key.hash, key.bytes, #key.bytes, signed, #signed, digest, digest_length)
  return #signature == digest_length[0] and ffi.C.CRYPTO_memcmp(digest, signature, #signature) == 0
end

local function signer_of(header, keys, signed, signature)
  -- Without a kid each key is tried.
  local candidates = header.kid == nil and keys or { keys[header.kid] }
  for _, key in pairs(candidates) do
    local fits = key.hash ~= nil and key.alg == header.alg and not is_over(key)
    if fits and is_signed_with(key, signed, signature) then return key end
  end
end

-- The claims of a token, how they are written in it, and the key that signed it; nil if none did.
local function opened(line, keys)
  local head, body, tail = line:match(TOKEN)
  local header = head and header_of(head)
  local signature = header and base64.decode_base64url(tail)
  -- A signature has one spelling.
  if not signature or base64.encode_base64url(signature) ~= tail then return nil end
  local key = signer_of(header, keys, head .. "." .. body, signature)
  local claims = key and object_of(body)
  return claims and { claims = claims, body = body, key = key } or nil
end

local function opened_once(path, line, keys)
  local name = path .. " " .. line
  local token = known[name]
  if token then return not is_over(token.key) and token or nil end
  token = opened(line, keys)
  if token then
    if known_count == MOST_KNOWN then forget() end
    known[name], known_count = token, known_count + 1
  end
  return token
end

local function is_finite(value)
  return type(value) == "number" and value == value and math.abs(value) < math.huge
end

-- Many applications write a number. Beyond 2^53 two users would have the same one.
local function is_name(sub)
  return sub == nil or type(sub) == "string" or is_finite(sub) and math.abs(sub) < 2 ^ 53
end

-- RFC 7519 sections 4.1.4 and 4.1.5: exp is required, and clocks are trusted.
local function is_acceptable(claims, options)
  local now = ngx.now()
  if not is_finite(claims.exp) or now >= claims.exp then return false end
  if claims.nbf ~= nil and not (is_finite(claims.nbf) and now >= claims.nbf) then return false end
  if not is_name(claims.sub) then return false end
  if options.iss and claims.iss ~= options.iss then return false end
  if not options.aud then return true end
  for _, audience in ipairs(type(claims.aud) == "table" and claims.aud or { claims.aud }) do
    if audience == options.aud then return true end
  end
  return false
end

-- With as many digits as tell it from all others: Lua itself writes 14, and two users would have the same text.
local function digits_of(number)
  if number % 1 == 0 then return string.format("%.0f", number) end
  for digits = 15, 16 do
    local text = string.format("%." .. digits .. "g", number)
    if tonumber(text) == number then return text end
  end
  return string.format("%.17g", number)
end

-- As rekey's own /auth writes it: all but visible ASCII, and the percent sign, is percent-encoded.
local function header_text(value)
  local text = type(value) == "number" and digits_of(value) or value or ""
  return (text:gsub("[^\33-\36\38-\126]", function(byte) return string.format("%%%02X", byte:byte()) end))
end

local rekey = {}

-- For `access_by_lua_block`: 401 unless the token is valid, 500 if the file of keys cannot be read. The application gets
-- X-Auth-Subject and X-Auth-Claims. `options.aud` and `options.iss` are what the token's aud and iss must be.
function rekey.guard(path, options)
  local keys = keys_in(path)
  if keys == nil then return ngx.exit(500) end
  local token = opened_once(path, ngx.var.http_authorization or "", keys)
  if token == nil or not is_acceptable(token.claims, options or {}) then
    ngx.header["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return ngx.exit(401)
  end
  ngx.req.set_header("X-Auth-Subject", header_text(token.claims.sub))
  ngx.req.set_header("X-Auth-Claims", token.body)
end

return rekey
