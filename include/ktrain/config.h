/* A configuration: the keys that a job file of ktrain has (`ktrain options` lists them), each with a default.
 * Everything here is local. One thread at a time may use a configuration; different ones are independent. */
#ifndef KTRAIN_PUBLIC_CONFIG_H
#define KTRAIN_PUBLIC_CONFIG_H

#include "ktrain/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ktrain_config ktrain_config;

/* Every key at its default. The caller frees *out with ktrain_config_free; it is NULL on failure. */
KTRAIN_API ktrain_status ktrain_config_create(ktrain_config **out);

/* The same, then what the job file `path` (INI) sets. KTRAIN_NO_INPUT; KTRAIN_CONFIG, all mistakes with their lines. */
KTRAIN_API ktrain_status ktrain_config_read(const char *path, ktrain_config **out);

/* Sets a key, like ("model.hidden", "[100, 80]"). KTRAIN_CONFIG, the configuration unchanged: no such key, or a value
 * that it does not take. Whether the keys fit together is asked when they are used. */
KTRAIN_API ktrain_status ktrain_config_set(ktrain_config *config, const char *key, const char *value);

/* A key's value as a job file would have it; owned by the configuration, valid until the next call with it. NULL, with
 * a message: no such key. */
KTRAIN_API const char *ktrain_config_get(ktrain_config *config, const char *key);

/* NULL is allowed. */
KTRAIN_API void ktrain_config_free(ktrain_config *config);

#ifdef __cplusplus
}
#endif

#endif
