/* What the files of the parser share: its state, its macros and its complaints. */
#ifndef RX_CORE_EXPR_PARSER_H
#define RX_CORE_EXPR_PARSER_H

#include "core/expr/internal.h"

struct rx_parser {
    struct rx_lexer lexer;
    struct rx_token token; /* the next one */
    uint32_t last_end;     /* of the token before */
    unsigned nesting;      /* open brackets */
    unsigned levels;       /* signs and conditionals whose operand is being parsed */
};

/* macros.c: turns a call of a macro into its node; anything else stays a call. */
int rx_parser_macro(struct rx_parser *, struct rx_ast *call);

/* slips.c: each answers -EINVAL with a message and, where the slip is known, a hint. */
int rx_parser_fail(struct rx_parser *, uint32_t at, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The next token is not `wanted`; `opened`: where the bracket that waits was opened, UINT32_MAX: none. */
int rx_parser_unexpected(struct rx_parser *, const char *wanted, uint32_t opened);
int rx_parser_reserved(struct rx_parser *, const struct rx_token *);
int rx_parser_bad_field(struct rx_parser *);
/* Looks at what follows a binary operator: `===`, `<>`, `=>`. 0: nothing wrong. */
int rx_parser_after_operator(struct rx_parser *, const struct rx_ast *);

#endif
