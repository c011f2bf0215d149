/* The log: one line an event in logfmt on stderr, rate-limited by message. Any thread. */
#ifndef RX_DAEMON_LOG_H
#define RX_DAEMON_LOG_H

enum rx_log_level { RX_LOG_ERROR, RX_LOG_WARNING, RX_LOG_INFO, RX_LOG_DEBUG };

/* Lines less severe than this are not written. Under systemd each line carries its priority (sd-daemon(3)). */
void rx_log_configure(enum rx_log_level least);

/* level=info msg="..." key=value ...; `pairs` are key, value, ... NULL (a NULL value is left out; NULL: none). The same
 * message is written at most 10 times in 10 s; the next one then says how many were suppressed. */
void rx_log(enum rx_log_level, const char *message, const char *const *pairs);

#endif
