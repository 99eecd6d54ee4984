-- +goose Up
-- One row for each request. Migrations 23 to 35 create the tables that version 35 has; older databases are refused.
CREATE TABLE IF NOT EXISTS events
(
    id                  UUID CODEC(ZSTD(1)),
    received_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    stored_at           DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    source              LowCardinality(String),
    step                LowCardinality(String),
    kind                LowCardinality(String),
    verdict             LowCardinality(String),

    -- The request as it came. The hook token in `path` is masked, `body` is byte for byte.
    method              LowCardinality(String),
    path                LowCardinality(String),
    query               String CODEC(ZSTD(1)),
    remote_ip           LowCardinality(String),
    headers             Array(Tuple(name String, value String)) CODEC(ZSTD(1)),
    body                String CODEC(ZSTD(3)),
    body_sha256         String CODEC(ZSTD(1)),
    trace_id            String CODEC(ZSTD(1)),
    span_id             String CODEC(ZSTD(1)),

    -- Parsed fields. Empty or NULL: absent, or unreadable (see decode_error).
    bothelp_user_id     String CODEC(ZSTD(1)),
    -- BotHelp's id of the subscriber as a number; 0: none. Numbers are read and compared in half the time of texts. An id that is
    -- no number becomes a hash of 63 bits with the highest bit set: among a million such ids two collide in one of twenty million
    -- accounts. The column adds two bytes to an event, including the projections that use it in place of the text.
    subscriber_key      UInt64 MATERIALIZED multiIf(
        bothelp_user_id = '', 0,
        bothelp_user_id = toString(toUInt64OrZero(bothelp_user_id)) AND toUInt64OrZero(bothelp_user_id) BETWEEN 1 AND 9223372036854775807, toUInt64OrZero(bothelp_user_id),
        bitOr(cityHash64(bothelp_user_id), 9223372036854775808)) CODEC(T64, ZSTD(1)),
    messenger_user_id   String CODEC(ZSTD(1)),
    messenger_username  String CODEC(ZSTD(1)),
    cuid                String CODEC(ZSTD(1)),
    ref                 String CODEC(ZSTD(1)),
    name                String CODEC(ZSTD(1)),
    first_name          String CODEC(ZSTD(1)),
    last_name           String CODEC(ZSTD(1)),
    email               String CODEC(ZSTD(1)),
    phone               String CODEC(ZSTD(1)),
    profile_link        String CODEC(ZSTD(1)),
    channel             LowCardinality(String),
    conversations_count Nullable(UInt64) CODEC(ZSTD(1)),
    created_at          Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    first_contact_at    Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    last_contact_at     Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    utm_source          LowCardinality(String),
    utm_medium          LowCardinality(String),
    utm_campaign        LowCardinality(String),
    utm_content         LowCardinality(String),
    utm_term            LowCardinality(String),
    fields              Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    event_at            DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    decode_error        LowCardinality(String),
    duplicate_of        UUID CODEC(ZSTD(1)),
    -- Whether the request has an e-mail address or a phone number.
    contact             Bool MATERIALIZED email != '' OR phone != '',

    INDEX body_sha256_bloom body_sha256 TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX bothelp_user_id_bloom bothelp_user_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX stored_at_minmax stored_at TYPE minmax GRANULARITY 1,
    INDEX messenger_user_id_bloom messenger_user_id TYPE bloom_filter(0.01) GRANULARITY 4,

    -- Everything that conversion and conversations are computed from, ordered by subscriber. ClickHouse itself reads it in place of
    -- the table where that is cheaper: the dashboards' queries over weeks take a quarter of the time. Each insert updates the
    -- projections, so they never differ from the table.
    PROJECTION visits
    (
        SELECT source, subscriber_key, received_at, verdict, kind, step, channel, utm_source, utm_medium, utm_campaign, utm_content, utm_term,
            contact, conversations_count, duplicate_of
        ORDER BY source, subscriber_key, received_at
    ),
    -- The first request of each subscriber, which tells the dashboards who is new: a third of the rows, and a tenth of the time, of
    -- reading the whole history. It makes an insert 5 % slower.
    PROJECTION newcomers
    (
        SELECT source, channel, verdict, subscriber_key, min(received_at)
        GROUP BY source, channel, verdict, subscriber_key
    )
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (received_at, id)
-- The spool deletes a batch once this insert is acknowledged, and may send it again after a crash: hence fsync and
-- deduplication by token. A change of retention computes when rows expire and leaves their removal to the next merge, instead
-- of rewriting the table at once. One merge an hour and month may remove expired rows. Rows expire at midnight, so most of these
-- merges find nothing to do.
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000,
    materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 3600;
