/* MQTT reason codes in words (MQTT 5.0, 2.4; 3.1.1, table 3.1). */
#include "core/io/mqtt/packet.h"

const char *rx_reason_text(unsigned reason)
{
    static const char *const texts[256] = {
        [0x00] = "success",
        [0x04] = "disconnected with its will",
        [0x10] = "nobody subscribes to it",
        [0x11] = "there was no such subscription",
        [0x80] = "refused without a reason",
        [0x81] = "malformed packet",
        [0x82] = "protocol error",
        [0x83] = "an error of its own",
        [0x84] = "it does not speak this version of MQTT",
        [0x85] = "it does not take this client_id",
        [0x86] = "wrong user or password",
        [0x87] = "not authorized",
        [0x88] = "the broker is unavailable",
        [0x89] = "the broker is busy",
        [0x8A] = "banned",
        [0x8B] = "the broker is shutting down",
        [0x8C] = "wrong authentication method",
        [0x8D] = "it heard nothing from us within the keep-alive",
        [0x8E] = "another client took over the session",
        [0x8F] = "topic filter invalid",
        [0x90] = "topic name invalid",
        [0x91] = "packet identifier in use",
        [0x92] = "packet identifier not found",
        [0x93] = "more messages at once than the receive maximum",
        [0x94] = "topic alias invalid",
        [0x95] = "packet too large",
        [0x96] = "message rate too high",
        [0x97] = "quota exceeded",
        [0x98] = "an administrator's action",
        [0x99] = "payload format invalid",
        [0x9A] = "it does not keep retained messages",
        [0x9B] = "it does not support this QoS",
        [0x9C] = "use another server",
        [0x9D] = "the server has moved",
        [0x9E] = "it does not support shared subscriptions",
        [0x9F] = "connection rate exceeded",
        [0xA0] = "maximum connect time reached",
        [0xA1] = "it does not support subscription identifiers",
        [0xA2] = "it does not support wildcard subscriptions",
    };
    const char *text = reason < 256 ? texts[reason] : NULL;
    return text ? text : "an unknown reason";
}

const char *rx_connack_text_311(unsigned code)
{
    static const char *const texts[] = {
        "success",
        "it does not speak this version of MQTT",
        "it does not take this client_id",
        "the broker is unavailable",
        "wrong user or password",
        "not authorized",
    };
    return code < sizeof texts / sizeof *texts ? texts[code] : "an unknown reason";
}
