// SPDX-License-Identifier: Apache-2.0
#include "sandbox/auth.h"

#include "sandbox/docpath.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

enum { ITERATIONS = 15000, SALT_LEN = 28, NONCE_LEN = 24, HASH_LEN = 32, PAYLOAD_MAX = 4096 };

struct auth {
    char *user;
    uint8_t salt[SALT_LEN];
    uint8_t stored_key[HASH_LEN], server_key[HASH_LEN];
};

static bool hmac(const uint8_t key[HASH_LEN], const char *text, uint8_t ret[HASH_LEN])
{
    unsigned len = HASH_LEN;
    return HMAC(EVP_sha256(), key, HASH_LEN, (const uint8_t *)text, strlen(text), ret, &len) != NULL;
}

static bool sha256(const uint8_t *data, size_t len, uint8_t ret[HASH_LEN])
{
    unsigned out = HASH_LEN;
    return EVP_Digest(data, len, ret, &out, EVP_sha256(), NULL) == 1;
}

/* Only what the protocol needs stays: who reads our memory cannot log in elsewhere with it. */
bool auth_new(const char *user, const char *password, auth **ret, struct err *err)
{
    auth *a = g_new0(auth, 1);
    uint8_t salted[HASH_LEN], client_key[HASH_LEN];
    a->user = g_strdup(user);
    bool fine = RAND_bytes(a->salt, SALT_LEN) == 1 &&
                PKCS5_PBKDF2_HMAC(password, (int)strlen(password), a->salt, SALT_LEN, ITERATIONS,
                                  EVP_sha256(), HASH_LEN, salted) == 1 &&
                hmac(salted, "Client Key", client_key) && sha256(client_key, HASH_LEN, a->stored_key) &&
                hmac(salted, "Server Key", a->server_key);
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(client_key, sizeof client_key);
    if (!fine) {
        auth_free(a);
        return err_set(err, ERR_FAILED, "cannot derive the keys of user '%s': OpenSSL refuses", user);
    }
    *ret = a;
    return true;
}

void auth_free(auth *a)
{
    if (a == NULL)
        return;
    OPENSSL_cleanse(a->stored_key, sizeof a->stored_key);
    OPENSSL_cleanse(a->server_key, sizeof a->server_key);
    g_free(a->user);
    g_free(a);
}

const char *auth_user(const auth *a)
{
    return a->user;
}

static void end_conversation(struct auth_session *s)
{
    s->step = 0;
    g_clear_pointer(&s->nonce, g_free);
    g_clear_pointer(&s->first_bare, g_free);
    g_clear_pointer(&s->server_first, g_free);
}

void auth_session_clear(struct auth_session *s)
{
    end_conversation(s);
    s->logged_in = false;
}

/* One text for every reason: it must not tell which of name and password was wrong. */
static bool failed(struct auth_session *s, struct fault *f)
{
    end_conversation(s);
    return fault_say(f, SB_AUTHENTICATION, "Authentication failed.");
}

/* The payload as text; NULL: none, too long, or not text. */
static char *payload_of(const bson_t *cmd)
{
    bson_iter_t it;
    const uint8_t *data = NULL;
    uint32_t len = 0;
    if (!doc_get(cmd, "payload", &it))
        return NULL;
    if (BSON_ITER_HOLDS_BINARY(&it))
        bson_iter_binary(&it, NULL, &len, &data);
    else if (BSON_ITER_HOLDS_UTF8(&it))
        data = (const uint8_t *)bson_iter_utf8(&it, &len);
    if (data == NULL || len > PAYLOAD_MAX || !g_utf8_validate((const char *)data, (gssize)len, NULL))
        return NULL;
    return g_strndup((const char *)data, len);
}

static bool answer(const struct auth_session *s, bool done, const char *payload, bson_t *reply)
{
    bson_append_int32(reply, "conversationId", -1, s->conversation);
    bson_append_bool(reply, "done", -1, done);
    return bson_append_binary(reply, "payload", -1, BSON_SUBTYPE_BINARY, (const uint8_t *)payload,
                              (uint32_t)strlen(payload));
}

/* "=2C" and "=3D" stand for ',' and '=' in names. */
static char *unescaped_name(const char *name)
{
    g_autoptr(GString) out = g_string_new(name);
    g_string_replace(out, "=2C", ",", 0);
    g_string_replace(out, "=3D", "=", 0);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* Our part of the nonce makes each exchange unlike any other, so that none can be replayed. */
static void make_server_first(const auth *a, struct auth_session *s, const char *client_nonce)
{
    uint8_t random[NONCE_LEN];
    RAND_bytes(random, sizeof random);
    g_autofree char *ours = g_base64_encode(random, sizeof random);
    g_autofree char *salt = g_base64_encode(a->salt, SALT_LEN);
    s->nonce = g_strconcat(client_nonce, ours, NULL);
    s->server_first = g_strdup_printf("r=%s,s=%s,i=%d", s->nonce, salt, ITERATIONS);
}

/* "n,,n=NAME,r=NONCE": no channel binding, no authorization as somebody else. */
bool auth_start(const auth *a, struct auth_session *s, const bson_t *cmd, bson_t *reply, struct fault *f)
{
    const char *mechanism = doc_get_text(cmd, "mechanism");
    bson_iter_t it;
    bson_t options;
    if (mechanism == NULL || strcmp(mechanism, "SCRAM-SHA-256") != 0)
        return fault_say(f, 334, "Received authentication for mechanism %s which is not enabled",
                         mechanism == NULL ? "unknown" : mechanism);
    end_conversation(s);
    g_autofree char *payload = payload_of(cmd);
    if (a == NULL || payload == NULL || !g_str_has_prefix(payload, "n,,n="))
        return failed(s, f);
    s->skip_empty = doc_get(cmd, "options", &it) && BSON_ITER_HOLDS_DOCUMENT(&it) &&
                    doc_under(&it, &options) && doc_get_bool(&options, "skipEmptyExchange", false);
    g_auto(GStrv) parts = g_strsplit(payload + strlen("n,,"), ",", -1);
    if (g_strv_length(parts) < 2 || !g_str_has_prefix(parts[1], "r=") || parts[1][2] == '\0')
        return failed(s, f);
    g_autofree char *name = unescaped_name(parts[0] + 2);
    if (strcmp(name, a->user) != 0)
        return failed(s, f);
    s->conversation++;
    s->step = 1;
    s->first_bare = g_strdup(payload + strlen("n,,"));
    make_server_first(a, s, parts[1] + 2);
    return answer(s, false, s->server_first, reply);
}

/* Whether the proof is what only the password's owner can make: H(proof XOR HMAC(stored, message)) is the
 * stored key. */
static bool proof_holds(const auth *a, const char *message, const char *proof_text)
{
    uint8_t signature[HASH_LEN], key[HASH_LEN], hashed[HASH_LEN];
    gsize len = 0;
    g_autofree uint8_t *proof = g_base64_decode(proof_text, &len);
    if (len != HASH_LEN || !hmac(a->stored_key, message, signature))
        return false;
    for (unsigned i = 0; i < HASH_LEN; i++)
        key[i] = proof[i] ^ signature[i];
    return sha256(key, HASH_LEN, hashed) && CRYPTO_memcmp(hashed, a->stored_key, HASH_LEN) == 0;
}

/* "c=biws,r=NONCE,p=PROOF"; the nonce must be the one that we extended. The answer proves to the client that
 * we know its key too. */
static bool finish(const auth *a, struct auth_session *s, const char *payload, bson_t *reply, struct fault *f)
{
    g_auto(GStrv) parts = g_strsplit(payload, ",", -1);
    const char *proof = g_strrstr(payload, ",p=");
    uint8_t signature[HASH_LEN];
    if (proof == NULL || g_strv_length(parts) < 3 || strcmp(parts[0], "c=biws") != 0 ||
        !g_str_has_prefix(parts[1], "r=") || strcmp(parts[1] + 2, s->nonce) != 0)
        return failed(s, f);
    g_autofree char *without_proof = g_strndup(payload, (gsize)(proof - payload));
    g_autofree char *message = g_strconcat(s->first_bare, ",", s->server_first, ",", without_proof, NULL);
    if (!proof_holds(a, message, proof + 3) || !hmac(a->server_key, message, signature))
        return failed(s, f);
    g_autofree char *encoded = g_base64_encode(signature, HASH_LEN);
    g_autofree char *verifier = g_strconcat("v=", encoded, NULL);
    s->step = 2;
    bool done = s->skip_empty;
    answer(s, done, verifier, reply);
    if (done) {
        s->logged_in = true;
        end_conversation(s);
    }
    return true;
}

/* The last, empty exchange is there for clients that do not ask to leave it out. */
bool auth_continue(const auth *a, struct auth_session *s, const bson_t *cmd, bson_t *reply, struct fault *f)
{
    if (a == NULL || s->step == 0)
        return fault_say(f, 17, "No SASL session state found");
    g_autofree char *payload = payload_of(cmd);
    if (payload == NULL || doc_get_int(cmd, "conversationId", -1) != s->conversation)
        return failed(s, f);
    if (s->step == 1)
        return finish(a, s, payload, reply, f);
    if (payload[0] != '\0')
        return failed(s, f);
    s->logged_in = true;
    answer(s, true, "", reply);
    end_conversation(s);
    return true;
}
