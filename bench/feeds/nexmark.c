/* Nexmark: people, auctions and bids of an auction house (Tucker, Tufte, Papadimos, Maier, "NEXMark: a benchmark for queries over data streams", 2002).
 *
 * Proportions and hot keys are those of Apache Beam's generator (GeneratorConfig, AuctionGenerator, BidGenerator, PersonGenerator): of 50 events
 * one is a person, three are auctions, 46 are bids; half of the bids go to the hot auction, three of four are of the hot bidder,
 * three of four auctions of the hot seller. */
#include <math.h>
#include <stdio.h>

#include "feed.h"

enum {
    OF = 50,
    PERSONS = 1,
    AUCTIONS = 3,
    HOT_BLOCK = 100,
    ACTIVE_PERSONS = 1000,
    INFLIGHT_AUCTIONS = 100,
    FIRST_ID = 1000
};

static const char *const cities[] = {"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland",
                                     "Bend",    "Redmond",     "Seattle",       "Kent"};
static const char *const states[] = {"AZ", "CA", "ID", "OR", "WA", "WY"};
static const char *const names[] = {"Peter", "Paul",  "Luke",  "John",   "Saul",  "Vicky",
                                    "Kate",  "Julie", "Sarah", "Deiter", "Walter"};
static const char *const channels[] = {"Google", "Facebook", "Baidu", "Apple"};

#define ANY(list) list[feed_random_below(sizeof list / sizeof *list)]

typedef unsigned long long number;

static number last_person(uint64_t event) { return event / OF * PERSONS; }

static number last_auction(uint64_t event)
{
    uint64_t offset = event % OF, made = offset < PERSONS              ? 0
                                         : offset < PERSONS + AUCTIONS ? offset - PERSONS
                                                                       : AUCTIONS - 1;
    return event / OF * AUCTIONS + made;
}

/* One of the newest `active` up to `last`. */
static number recent(number last, number active) { return last - feed_random_below(last < active ? last + 1 : active); }

static number price(void) { return (number)round(pow(10, (double)feed_random_below(1000000) / 1e6 * 6) * 100); }

static void put_extra(unsigned bytes)
{
    printf("\"extra\":\"");
    for (unsigned i = 0; i < bytes; i++)
        putchar('a' + (int)feed_random_below(26));
    printf("\"}\n");
}

static void put_person(uint64_t event, number at)
{
    number id = FIRST_ID + last_person(event);
    printf("{\"kind\":\"person\",\"id\":%llu,\"name\":\"%s %llu\",\"city\":\"%s\",\"state\":\"%s\",\"at\":%llu,", id,
           ANY(names), id, ANY(cities), ANY(states), at);
    put_extra(20);
}

static void put_auction(uint64_t event, number at)
{
    number person = last_person(event), hot = person / HOT_BLOCK * HOT_BLOCK;
    number seller = FIRST_ID + (feed_random_below(4) ? hot : recent(person, ACTIVE_PERSONS));
    printf("{\"kind\":\"auction\",\"id\":%llu,\"item\":\"item "
           "%llu\",\"initial\":%llu,\"seller\":%llu,\"category\":%llu,\"expires\":%llu,\"at\":%llu,",
           FIRST_ID + last_auction(event), (number)feed_random_below(1000), price(), seller,
           10 + (number)feed_random_below(5), at + (number)feed_random_below(20000), at);
    put_extra(20);
}

static void put_bid(uint64_t event, number at)
{
    number auction = last_auction(event), person = last_person(event);
    number hot_auction = auction / HOT_BLOCK * HOT_BLOCK, hot_bidder = person / HOT_BLOCK * HOT_BLOCK + 1;
    printf("{\"kind\":\"bid\",\"auction\":%llu,\"bidder\":%llu,\"price\":%llu,\"channel\":\"%s\",\"at\":%llu,",
           FIRST_ID + (feed_random_below(2) ? hot_auction : recent(auction, INFLIGHT_AUCTIONS)),
           FIRST_ID + (feed_random_below(4) ? hot_bidder : recent(person, ACTIVE_PERSONS)), price(), ANY(channels), at);
    put_extra(20);
}

void feed_nexmark(uint64_t count, uint64_t per_second)
{
    for (uint64_t event = 0; event < count; event++) {
        number at = 1700000000000 + event * 1000 / per_second;
        if (event % OF < PERSONS)
            put_person(event, at);
        else if (event % OF < PERSONS + AUCTIONS)
            put_auction(event, at);
        else
            put_bid(event, at);
    }
}
