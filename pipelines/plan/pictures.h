/* Marble pictures of operators, for the catalogue. Each is a case that the tests run. */
#ifndef RX_PIPELINES_PICTURES_H
#define RX_PIPELINES_PICTURES_H

struct rx_picture {
    const char *name;  /* of the operator */
    const char *shows; /* one sentence */
    const char *lines; /* inputs, steps and outputs, as in tests/marbles; each ends with a newline */
};

/* NULL: there is none. */
const struct rx_picture *rx_picture_of(const char *operator_name);

#endif
