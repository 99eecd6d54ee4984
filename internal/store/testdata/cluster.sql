-- 00023_events.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`events_local` ON CLUSTER `main`
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
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/hooktape/events', '{replica}')
PARTITION BY toYYYYMM(received_at)
ORDER BY (received_at, id)
-- The spool deletes a batch once this insert is acknowledged, and may send it again after a crash: hence fsync and
-- deduplication by token. A change of retention computes when rows expire and leaves their removal to the next merge, instead
-- of rewriting the table at once. One merge an hour and month may remove expired rows. Rows expire at midnight, so most of these
-- merges find nothing to do.
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800,
    materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 3600;

CREATE TABLE IF NOT EXISTS `hooktape`.`events` ON CLUSTER `main` AS `hooktape`.`events_local`
ENGINE = Distributed('main', 'hooktape', 'events_local', cityHash64(multiIf(bothelp_user_id != '', bothelp_user_id, messenger_user_id != '', concat('m:', messenger_user_id), toString(id))));

-- 00024_quarantine.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`quarantine_local` ON CLUSTER `main`
(
    id             UUID,
    received_at    DateTime64(6, 'UTC'),
    quarantined_at DateTime64(3, 'UTC') DEFAULT now64(3),
    source         LowCardinality(String),
    -- Why ClickHouse refused the event.
    error          String CODEC(ZSTD(1)),
    -- The event as the spool had it: CBOR, raw request included.
    record         String CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/hooktape/quarantine', '{replica}')
PARTITION BY toYYYYMM(received_at)
ORDER BY (received_at, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `hooktape`.`quarantine` ON CLUSTER `main` AS `hooktape`.`quarantine_local`
ENGINE = Distributed('main', 'hooktape', 'quarantine_local', cityHash64(id));

-- 00025_replays.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`replays_local` ON CLUSTER `main`
(
    id                  UUID,
    created_at          DateTime64(6, 'UTC'),
    updated_at          DateTime64(6, 'UTC'),
    created_by          String,
    state               LowCardinality(String),
    endpoint            String,
    url                 String,
    selection           String,
    total               UInt64,
    rate                Float64,
    concurrency         UInt16,
    max_attempts        UInt16,
    reason              String,
    event_order         LowCardinality(String) DEFAULT 'none',     -- or 'subscriber'
    mode                LowCardinality(String) DEFAULT 'all',      -- or 'undelivered'
    retry               LowCardinality(String) DEFAULT 'endpoint', -- or 'none'
    pace                Float64,
    stop_after_failures UInt32,
    headers             Array(Tuple(name String, value String)),
    idempotency_key     String,
    counts              Map(LowCardinality(String), UInt64), -- deliveries by state, as of updated_at
    per_second          Float64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/hooktape/replays', '{replica}', updated_at)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `hooktape`.`replays` ON CLUSTER `main` AS `hooktape`.`replays_local`
ENGINE = Distributed('main', 'hooktape', 'replays_local', cityHash64(id));

-- 00026_deliveries.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`deliveries_local` ON CLUSTER `main`
(
    -- The zero UUID for live delivery.
    replay_id         UUID CODEC(ZSTD(1)),
    endpoint          LowCardinality(String),
    event_received_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    event_id          UUID CODEC(ZSTD(1)),
    state             LowCardinality(String),
    attempts          UInt32 CODEC(ZSTD(1)),
    next_at           DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    status_code       UInt16 CODEC(ZSTD(1)),
    error             String CODEC(ZSTD(1)),
    updated_at        DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    version           UInt64 CODEC(ZSTD(1)),
    -- The subscriber of the event. Deliveries to the same subscriber keep their order and stay in one shard.
    subscriber        String DEFAULT toString(event_id) CODEC(ZSTD(1)),
    created_at        DateTime64(6, 'UTC') DEFAULT event_received_at CODEC(Delta, ZSTD(1)),

    INDEX event_id_bloom event_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/hooktape/deliveries', '{replica}', version)
PARTITION BY toYYYYMM(event_received_at)
ORDER BY (replay_id, endpoint, event_received_at, event_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `hooktape`.`deliveries` ON CLUSTER `main` AS `hooktape`.`deliveries_local`
ENGINE = Distributed('main', 'hooktape', 'deliveries_local', cityHash64(subscriber));

-- 00027_attempts.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`attempts_local` ON CLUSTER `main`
(
    id               UUID CODEC(ZSTD(1)),
    event_id         UUID CODEC(ZSTD(1)),
    endpoint         LowCardinality(String),
    url              LowCardinality(String),
    replay_id        UUID CODEC(ZSTD(1)),
    number           UInt32 CODEC(ZSTD(1)),
    started_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    duration_ms      Float64 CODEC(ZSTD(1)),
    outcome          LowCardinality(String),
    status_code      UInt16 CODEC(ZSTD(1)),
    error            String CODEC(ZSTD(1)),
    -- The headers as they were sent, because the configuration that they come from changes. Attempts of old versions have none.
    request_headers  Array(Tuple(name String, value String)) CODEC(ZSTD(1)),
    response_headers Array(Tuple(name String, value String)) CODEC(ZSTD(1)),
    response_body    String CODEC(ZSTD(1)),
    trace_id         String CODEC(ZSTD(1)),

    INDEX event_id_bloom event_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/hooktape/attempts', '{replica}')
PARTITION BY toYYYYMM(started_at)
ORDER BY (started_at, id)
-- 00023_events.sql explains the settings.
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800,
    materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 3600;

CREATE TABLE IF NOT EXISTS `hooktape`.`attempts` ON CLUSTER `main` AS `hooktape`.`attempts_local`
ENGINE = Distributed('main', 'hooktape', 'attempts_local', cityHash64(event_id));

-- 00028_otel_traces.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`otel_traces_local` ON CLUSTER `main`
(
    Timestamp          DateTime64(9) CODEC(Delta, ZSTD(1)),
    TraceId            String CODEC(ZSTD(1)),
    SpanId             String CODEC(ZSTD(1)),
    ParentSpanId       String CODEC(ZSTD(1)),
    TraceState         String CODEC(ZSTD(1)),
    SpanName           LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind           LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName        LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName          String CODEC(ZSTD(1)),
    ScopeVersion       String CODEC(ZSTD(1)),
    SpanAttributes     Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration           UInt64 CODEC(ZSTD(1)),
    StatusCode         LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage      String CODEC(ZSTD(1)),
    Events             Nested(Timestamp DateTime64(9), Name LowCardinality(String), Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    Links              Nested(TraceId String, SpanId String, TraceState String, Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/hooktape/otel_traces', '{replica}')
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS `hooktape`.`otel_traces` ON CLUSTER `main` AS `hooktape`.`otel_traces_local`
ENGINE = Distributed('main', 'hooktape', 'otel_traces_local', cityHash64(TraceId));

-- 00029_otel_traces_trace_id_ts.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`otel_traces_trace_id_ts_local` ON CLUSTER `main`
(
    TraceId String CODEC(ZSTD(1)),
    Start   DateTime CODEC(Delta, ZSTD(1)),
    End     DateTime CODEC(Delta, ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/hooktape/otel_traces_trace_id_ts', '{replica}')
PARTITION BY toDate(Start)
ORDER BY (TraceId, Start)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS `hooktape`.`otel_traces_trace_id_ts` ON CLUSTER `main` AS `hooktape`.`otel_traces_trace_id_ts_local`
ENGINE = Distributed('main', 'hooktape', 'otel_traces_trace_id_ts_local', cityHash64(TraceId));

-- 00030_otel_traces_trace_id_ts_mv.sql
CREATE MATERIALIZED VIEW IF NOT EXISTS `hooktape`.`otel_traces_trace_id_ts_mv` ON CLUSTER `main` TO `hooktape`.`otel_traces_trace_id_ts_local` AS
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End
FROM `hooktape`.`otel_traces_local`
WHERE TraceId != ''
GROUP BY TraceId;

-- 00031_commands.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`commands_local` ON CLUSTER `main`
(
    -- The time of ClickHouse's clock: the last command counts, and the clocks of those who give commands differ.
    at     DateTime64(6, 'UTC') DEFAULT now64(6),
    target String,
    action LowCardinality(String),
    rate   Float64,
    by     String,
    reason String
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/hooktape/commands', '{replica}')
ORDER BY (target, at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `hooktape`.`commands` ON CLUSTER `main` AS `hooktape`.`commands_local`
ENGINE = Distributed('main', 'hooktape', 'commands_local', cityHash64(target));

-- 00032_endpoint_states.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`endpoint_states_local` ON CLUSTER `main`
(
    endpoint       String,
    shard          LowCardinality(String),
    url            String,
    -- 'active', 'paused', 'failing' (the breaker is open) or 'removed'
    state          LowCardinality(String),
    reason         String,
    failures       UInt32,
    next_probe     DateTime64(3, 'UTC'),
    updated_at     DateTime64(6, 'UTC'),
    followed_since DateTime64(3, 'UTC'),
    followed_until DateTime64(3, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/hooktape/endpoint_states', '{replica}', updated_at)
ORDER BY (endpoint, shard)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `hooktape`.`endpoint_states` ON CLUSTER `main` AS `hooktape`.`endpoint_states_local`
ENGINE = Distributed('main', 'hooktape', 'endpoint_states_local', cityHash64(endpoint));

-- 00033_audit_log.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`audit_log_local` ON CLUSTER `main`
(
    at        DateTime64(6, 'UTC'),
    -- The name of the token, or the user of the command line.
    who       String,
    action    LowCardinality(String),
    target    String,
    -- What exactly, as JSON.
    detail    String CODEC(ZSTD(1)),
    remote_ip String
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/hooktape/audit_log', '{replica}')
PARTITION BY toYYYYMM(at)
ORDER BY at
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `hooktape`.`audit_log` ON CLUSTER `main` AS `hooktape`.`audit_log_local`
ENGINE = Distributed('main', 'hooktape', 'audit_log_local', cityHash64(who));

-- 00034_holders.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`holders_local` ON CLUSTER `main`
(
    shard    LowCardinality(String),
    holder   String, -- the id of the process's spool
    host     String,
    since    DateTime64(6, 'UTC'),
    seen_at  DateTime64(6, 'UTC'),
    released Bool
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/hooktape/holders', '{replica}', seen_at)
ORDER BY (shard, holder);

CREATE TABLE IF NOT EXISTS `hooktape`.`holders` ON CLUSTER `main` AS `hooktape`.`holders_local`
ENGINE = Distributed('main', 'hooktape', 'holders_local', cityHash64(shard));

-- 00035_swept.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`swept_local` ON CLUSTER `main`
(
    endpoint          LowCardinality(String),
    event_received_at DateTime64(6, 'UTC'),
    swept_at          DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/hooktape/swept', '{replica}', event_received_at)
ORDER BY endpoint
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS `hooktape`.`swept` ON CLUSTER `main` AS `hooktape`.`swept_local`
ENGINE = Distributed('main', 'hooktape', 'swept_local', cityHash64(endpoint));

-- 00037_stored_ranges.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`stored_ranges_local` ON CLUSTER `main`
(
    spool          String,
    bucket         UInt64, -- number / 8192
    last           SimpleAggregateFunction(max, UInt64), -- the highest number that is stored with all before it
    received_from  SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    received_until SimpleAggregateFunction(max, DateTime64(6, 'UTC'))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/hooktape/stored_ranges', '{replica}')
ORDER BY (spool, bucket)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `hooktape`.`stored_ranges` ON CLUSTER `main` AS `hooktape`.`stored_ranges_local`
ENGINE = Distributed('main', 'hooktape', 'stored_ranges_local', cityHash64(spool));

-- 00038_endpoint_states_positions.sql
ALTER TABLE `hooktape`.`endpoint_states_local` ON CLUSTER `main`
    ADD COLUMN IF NOT EXISTS subscription String,
    ADD COLUMN IF NOT EXISTS started_after Map(String, UInt64),
    ADD COLUMN IF NOT EXISTS positions Map(String, UInt64);

ALTER TABLE `hooktape`.`endpoint_states` ON CLUSTER `main`
    ADD COLUMN IF NOT EXISTS subscription String,
    ADD COLUMN IF NOT EXISTS started_after Map(String, UInt64),
    ADD COLUMN IF NOT EXISTS positions Map(String, UInt64);

-- 00039_commands_number.sql
ALTER TABLE `hooktape`.`commands_local` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS number UInt64 DEFAULT toUnixTimestamp64Micro(at);

ALTER TABLE `hooktape`.`commands` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS number UInt64 DEFAULT toUnixTimestamp64Micro(at);

-- 00040_replays_public_only.sql
ALTER TABLE `hooktape`.`replays_local` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS public_only Bool DEFAULT false;

ALTER TABLE `hooktape`.`replays` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS public_only Bool DEFAULT false;

-- 00041_events_search.sql
ALTER TABLE `hooktape`.`events_local` ON CLUSTER `main`
    -- The number of the event in the sequence of its spool, which live delivery follows instead of a clock. Events that were stored
    -- before version 36, or without a spool, have none.
    ADD COLUMN IF NOT EXISTS spool LowCardinality(String),
    ADD COLUMN IF NOT EXISTS spool_number UInt64 CODEC(Delta, ZSTD(1)),
    -- A search looks through the next two columns: values in the form of Normalized in text.go, with U+001F between two.
    -- Numbers with punctuation, such as phone numbers, follow once more as digits. Arrays of one element name intermediate results,
    -- and arrays of one element or none are conditions, because an insert evaluates both branches of an if.
    -- search_text has all parsed fields, because package bothelp reads less than 256 KiB. A value that another
    -- one contains is left out, which takes 10 bytes off an event.
    ADD COLUMN IF NOT EXISTS search_text String MATERIALIZED arrayStringConcat(arrayMap(
            text -> concat(text, arrayStringConcat(arrayMap(number -> concat('\x1F', replaceRegexpAll(number, '[^0-9]+', '')),
                extractAll(text, '[0-9]+[ ()./\\x{2010}-\\x{2015}-]+[0-9][0-9 ()./\\x{2010}-\\x{2015}-]{2,}[0-9]')))),
            [trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(substring(concatWithSeparator('\x1F', step, name,
                if(position(name, first_name) > 0, '', first_name), if(position(name, last_name) > 0, '', last_name), email, phone, profile_link,
                if(position(profile_link, messenger_username) > 0, '', messenger_username),
                if(position(profile_link, messenger_user_id) > 0, '', messenger_user_id), cuid, ref, bothelp_user_id, channel,
                utm_source, utm_medium, utm_campaign, utm_content, utm_term, decodeURLFormComponent(query),
                arrayStringConcat(arrayMap((name, value) -> concat(name, ' ', value), mapKeys(fields), mapValues(fields)), '\x1F')), 1, 262144))), 'ё', 'е'), '\\s+', ' '))])) CODEC(ZSTD(6)),
    -- The readable text of the body of a request that was rejected or could not be read as a whole, by package bothelp. It is empty
    -- where that is the body itself, and expires with the body.
    ADD COLUMN IF NOT EXISTS body_text String CODEC(ZSTD(3)),
    -- The path and 64 KiB of the body of such a request. JSON is without its escapes and quotes, a form without its escapes; \u and \/
    -- are undone in all other text too. It expires with the body.
    ADD COLUMN IF NOT EXISTS search_body String MATERIALIZED arrayStringConcat(arrayMap(
            text -> concat(text, arrayStringConcat(arrayMap(number -> concat('\x1F', replaceRegexpAll(number, '[^0-9]+', '')),
                extractAll(text, '[0-9]+[ ()./\\x{2010}-\\x{2015}-]+[0-9][0-9 ()./\\x{2010}-\\x{2015}-]{2,}[0-9]')))),
            arrayMap(raw -> trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(substring(concatWithSeparator('\x1F', path,
                    -- simpleJSONExtractString takes only valid escapes: all other backslashes are doubled.
                    simpleJSONExtractString(concat('{"text":"', replaceAll(replaceRegexpAll(replaceAll(
                        if(match(raw, '^[\\s\\x{FEFF}]*[{\\[]'), replaceRegexpAll(replaceAll(raw, '\\\\', '/'), '\\\\["bfnrt]|"', ' '), decodeURLFormComponent(raw)),
                        '\\', '\\\\'), '(?:\\\\\\\\)+(u[0-9A-Fa-f]{4}|/)', '\\\\\\1'), '"', '\\"'), '"}'), 'text')), 1, 65536))), 'ё', 'е'), '\\s+', ' ')),
                if(verdict = 'accepted' AND decode_error = '', [], [substring(if(body_text = '', body, body_text), 1, 65536)])))) CODEC(ZSTD(3));

ALTER TABLE `hooktape`.`events` ON CLUSTER `main`
    -- The number of the event in the sequence of its spool, which live delivery follows instead of a clock. Events that were stored
    -- before version 36, or without a spool, have none.
    ADD COLUMN IF NOT EXISTS spool LowCardinality(String),
    ADD COLUMN IF NOT EXISTS spool_number UInt64 CODEC(Delta, ZSTD(1)),
    -- A search looks through the next two columns: values in the form of Normalized in text.go, with U+001F between two.
    -- Numbers with punctuation, such as phone numbers, follow once more as digits. Arrays of one element name intermediate results,
    -- and arrays of one element or none are conditions, because an insert evaluates both branches of an if.
    -- search_text has all parsed fields, because package bothelp reads less than 256 KiB. A value that another
    -- one contains is left out, which takes 10 bytes off an event.
    ADD COLUMN IF NOT EXISTS search_text String MATERIALIZED arrayStringConcat(arrayMap(
            text -> concat(text, arrayStringConcat(arrayMap(number -> concat('\x1F', replaceRegexpAll(number, '[^0-9]+', '')),
                extractAll(text, '[0-9]+[ ()./\\x{2010}-\\x{2015}-]+[0-9][0-9 ()./\\x{2010}-\\x{2015}-]{2,}[0-9]')))),
            [trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(substring(concatWithSeparator('\x1F', step, name,
                if(position(name, first_name) > 0, '', first_name), if(position(name, last_name) > 0, '', last_name), email, phone, profile_link,
                if(position(profile_link, messenger_username) > 0, '', messenger_username),
                if(position(profile_link, messenger_user_id) > 0, '', messenger_user_id), cuid, ref, bothelp_user_id, channel,
                utm_source, utm_medium, utm_campaign, utm_content, utm_term, decodeURLFormComponent(query),
                arrayStringConcat(arrayMap((name, value) -> concat(name, ' ', value), mapKeys(fields), mapValues(fields)), '\x1F')), 1, 262144))), 'ё', 'е'), '\\s+', ' '))])) CODEC(ZSTD(6)),
    -- The readable text of the body of a request that was rejected or could not be read as a whole, by package bothelp. It is empty
    -- where that is the body itself, and expires with the body.
    ADD COLUMN IF NOT EXISTS body_text String CODEC(ZSTD(3)),
    -- The path and 64 KiB of the body of such a request. JSON is without its escapes and quotes, a form without its escapes; \u and \/
    -- are undone in all other text too. It expires with the body.
    ADD COLUMN IF NOT EXISTS search_body String MATERIALIZED arrayStringConcat(arrayMap(
            text -> concat(text, arrayStringConcat(arrayMap(number -> concat('\x1F', replaceRegexpAll(number, '[^0-9]+', '')),
                extractAll(text, '[0-9]+[ ()./\\x{2010}-\\x{2015}-]+[0-9][0-9 ()./\\x{2010}-\\x{2015}-]{2,}[0-9]')))),
            arrayMap(raw -> trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(substring(concatWithSeparator('\x1F', path,
                    -- simpleJSONExtractString takes only valid escapes: all other backslashes are doubled.
                    simpleJSONExtractString(concat('{"text":"', replaceAll(replaceRegexpAll(replaceAll(
                        if(match(raw, '^[\\s\\x{FEFF}]*[{\\[]'), replaceRegexpAll(replaceAll(raw, '\\\\', '/'), '\\\\["bfnrt]|"', ' '), decodeURLFormComponent(raw)),
                        '\\', '\\\\'), '(?:\\\\\\\\)+(u[0-9A-Fa-f]{4}|/)', '\\\\\\1'), '"', '\\"'), '"}'), 'text')), 1, 65536))), 'ё', 'е'), '\\s+', ' ')),
                if(verdict = 'accepted' AND decode_error = '', [], [substring(if(body_text = '', body, body_text), 1, 65536)])))) CODEC(ZSTD(3));

-- 00042_events_search_materialize.sql
ALTER TABLE `hooktape`.`events_local` ON CLUSTER `main` MATERIALIZE COLUMN search_text, MATERIALIZE COLUMN search_body;

-- 00043_journeys.sql
CREATE OR REPLACE VIEW `hooktape`.`journeys` ON CLUSTER `main` AS
WITH
    arrayMap(g -> decodeURLComponent(trim(BOTH ' ' FROM g)), splitByChar(',', decodeURLComponent({goals:String}))) AS goals,
    arrayResize(goals, 8, '\xFF') AS steps,
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    subscriber_key,
    first_channel AS channel,
    reached, -- how many goals, each after the one before, and the last of them within the window
    reached > 0 AS lead,
    reached = length(goals) AS converted,
    arraySlice(visits, 1, length(goals)) AS visited_at, -- when each goal was first visited; the epoch: never
    visits[1] AS lead_at,
    reachable AS contact, -- whether an e-mail address or a phone number is known
    tagged,  -- whether any of the requests had a UTM tag
    its_source AS utm_source,
    its_medium AS utm_medium,
    its_campaign AS utm_campaign,
    its_content AS utm_content,
    its_term AS utm_term
FROM
(
    WITH utm_source != '' OR utm_medium != '' OR utm_campaign != '' AS touching
    SELECT
        subscriber_key,
        argMin(channel, received_at) AS first_channel,
        windowFunnel({window_days:UInt32} * 86400000000)(toUInt64(toUnixTimestamp64Micro(received_at)),
            step = steps[1], step = steps[2], step = steps[3], step = steps[4], step = steps[5], step = steps[6], step = steps[7], step = steps[8]) AS reached,
        [
            minIf(received_at, step = steps[1]), minIf(received_at, step = steps[2]), minIf(received_at, step = steps[3]),
            minIf(received_at, step = steps[4]), minIf(received_at, step = steps[5]), minIf(received_at, step = steps[6]),
            minIf(received_at, step = steps[7]), minIf(received_at, step = steps[8])
        ] AS visits,
        max(contact) AS reachable,
        max(utm_source != '' OR utm_medium != '' OR utm_campaign != '' OR utm_content != '' OR utm_term != '') AS tagged,
        if({attribution:String} = 'last', argMaxIf(utm_source, received_at, touching), argMinIf(utm_source, received_at, touching)) AS its_source,
        if({attribution:String} = 'last', argMaxIf(utm_medium, received_at, touching), argMinIf(utm_medium, received_at, touching)) AS its_medium,
        if({attribution:String} = 'last', argMaxIf(utm_campaign, received_at, touching), argMinIf(utm_campaign, received_at, touching)) AS its_campaign,
        if({attribution:String} = 'last', argMaxIf(utm_content, received_at, touching), argMinIf(utm_content, received_at, touching)) AS its_content,
        if({attribution:String} = 'last', argMaxIf(utm_term, received_at, touching), argMinIf(utm_term, received_at, touching)) AS its_term
    FROM events
    WHERE received_at >= toDateTime({from:String}) AND received_at <= toDateTime({to:String})
        AND source = decodeURLComponent({source:String}) AND verdict = 'accepted' AND kind = 'flow' AND subscriber_key != 0
    GROUP BY subscriber_key
)
WHERE (decodeURLComponent({channel:String}) = '*' OR has(chosen({channel:String}), first_channel))
    AND (decodeURLComponent({utm_source:String}) = '*' OR has(chosen({utm_source:String}), its_source))
    AND (decodeURLComponent({utm_medium:String}) = '*' OR has(chosen({utm_medium:String}), its_medium))
    AND (decodeURLComponent({utm_campaign:String}) = '*' OR has(chosen({utm_campaign:String}), its_campaign))
    AND (decodeURLComponent({utm_content:String}) = '*' OR has(chosen({utm_content:String}), its_content))
    AND (decodeURLComponent({utm_term:String}) = '*' OR has(chosen({utm_term:String}), its_term));

-- 00044_deliveries_position.sql
ALTER TABLE `hooktape`.`deliveries_local` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS event_position DateTime64(6, 'UTC') DEFAULT event_received_at CODEC(Delta, ZSTD(1));

ALTER TABLE `hooktape`.`deliveries` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS event_position DateTime64(6, 'UTC') DEFAULT event_received_at CODEC(Delta, ZSTD(1));

-- 00045_deliveries_by_position.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`deliveries_by_position_local` ON CLUSTER `main`
(
    -- The zero UUID for live delivery.
    replay_id         UUID CODEC(ZSTD(1)),
    endpoint          LowCardinality(String),
    event_received_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    event_position    DateTime64(6, 'UTC') DEFAULT event_received_at CODEC(Delta, ZSTD(1)),
    event_id          UUID CODEC(ZSTD(1)),
    state             LowCardinality(String),
    attempts          UInt32 CODEC(ZSTD(1)),
    next_at           DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    status_code       UInt16 CODEC(ZSTD(1)),
    error             String CODEC(ZSTD(1)),
    updated_at        DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    version           UInt64 CODEC(ZSTD(1)),
    -- Whom the event is about; what has the same one keeps its order, and stays in one shard.
    subscriber        String DEFAULT toString(event_id) CODEC(ZSTD(1)),
    created_at        DateTime64(6, 'UTC') DEFAULT event_received_at CODEC(Delta, ZSTD(1)),

    INDEX event_id_bloom event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX event_received_at_minmax event_received_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/hooktape/deliveries_by_position', '{replica}', version)
PARTITION BY toYYYYMM(event_received_at)
ORDER BY (replay_id, endpoint, event_position, event_id, event_received_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `hooktape`.`deliveries_by_position` ON CLUSTER `main` AS `hooktape`.`deliveries_by_position_local`
ENGINE = Distributed('main', 'hooktape', 'deliveries_by_position_local', cityHash64(subscriber));

-- 00047_events_position.sql
ALTER TABLE `hooktape`.`events_local` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS position_offset UInt64 CODEC(ZSTD(1));

ALTER TABLE `hooktape`.`events` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS position_offset UInt64 CODEC(ZSTD(1));

-- 00048_events_dates_codec.sql
ALTER TABLE `hooktape`.`events_local` ON CLUSTER `main`
    MODIFY COLUMN created_at CODEC(GCD, ZSTD(1)),
    MODIFY COLUMN first_contact_at CODEC(GCD, ZSTD(1)),
    MODIFY COLUMN last_contact_at CODEC(GCD, ZSTD(1));

ALTER TABLE `hooktape`.`events` ON CLUSTER `main`
    MODIFY COLUMN created_at CODEC(GCD, ZSTD(1)),
    MODIFY COLUMN first_contact_at CODEC(GCD, ZSTD(1)),
    MODIFY COLUMN last_contact_at CODEC(GCD, ZSTD(1));

-- 00049_events_body_text.sql
ALTER TABLE `hooktape`.`events_local` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS body_text String CODEC(ZSTD(3));

ALTER TABLE `hooktape`.`events` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS body_text String CODEC(ZSTD(3));

-- 00050_attempts_forward.sql
ALTER TABLE `hooktape`.`attempts_local` ON CLUSTER `main`
    ADD COLUMN IF NOT EXISTS kind LowCardinality(String) DEFAULT 'delivery', -- or 'forward'
    -- Why the bot got the configured fallback: deadline, refused, failing, in_flight, error. Empty: it got the endpoint's answer.
    ADD COLUMN IF NOT EXISTS fallback LowCardinality(String),
    -- The expected keys that the endpoint's answer does not have.
    ADD COLUMN IF NOT EXISTS missing_keys Array(String) CODEC(ZSTD(1)),
    -- The bytes of the answer's body, of which response_body has the start.
    ADD COLUMN IF NOT EXISTS response_bytes UInt64 CODEC(ZSTD(1)),
    -- The time from the end of the request to the end of the answer, without the time spent waiting for the endpoint.
    ADD COLUMN IF NOT EXISTS overhead_ms Float64 CODEC(ZSTD(1));

ALTER TABLE `hooktape`.`attempts` ON CLUSTER `main`
    ADD COLUMN IF NOT EXISTS kind LowCardinality(String) DEFAULT 'delivery', -- or 'forward'
    -- Why the bot got the configured fallback: deadline, refused, failing, in_flight, error. Empty: it got the endpoint's answer.
    ADD COLUMN IF NOT EXISTS fallback LowCardinality(String),
    -- The expected keys that the endpoint's answer does not have.
    ADD COLUMN IF NOT EXISTS missing_keys Array(String) CODEC(ZSTD(1)),
    -- The bytes of the answer's body, of which response_body has the start.
    ADD COLUMN IF NOT EXISTS response_bytes UInt64 CODEC(ZSTD(1)),
    -- The time from the end of the request to the end of the answer, without the time spent waiting for the endpoint.
    ADD COLUMN IF NOT EXISTS overhead_ms Float64 CODEC(ZSTD(1));

-- 00051_events_acceptance.sql
ALTER TABLE `hooktape`.`events_local` ON CLUSTER `main`
    ADD COLUMN IF NOT EXISTS accepted_by String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS accepted_at DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS rejected_as LowCardinality(String);

ALTER TABLE `hooktape`.`events` ON CLUSTER `main`
    ADD COLUMN IF NOT EXISTS accepted_by String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS accepted_at DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS rejected_as LowCardinality(String);

-- 00052_replays_include_rejected.sql
ALTER TABLE `hooktape`.`replays_local` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS include_rejected Bool;

ALTER TABLE `hooktape`.`replays` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS include_rejected Bool;

-- 00053_deliveries_attempts.sql
ALTER TABLE `hooktape`.`deliveries_local` ON CLUSTER `main`
    ADD COLUMN IF NOT EXISTS first_attempt_at DateTime64(6, 'UTC') DEFAULT if(attempts = 1, updated_at, toDateTime64(0, 6, 'UTC')) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS last_attempt_at DateTime64(6, 'UTC') DEFAULT if(attempts > 0, updated_at, toDateTime64(0, 6, 'UTC')) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS outcome LowCardinality(String) DEFAULT multiIf(attempts = 0, '', state IN ('delivered', 'unknown'), state, status_code != 0, 'bad_status', ''),
    ADD COLUMN IF NOT EXISTS answer String CODEC(ZSTD(1));

ALTER TABLE `hooktape`.`deliveries` ON CLUSTER `main`
    ADD COLUMN IF NOT EXISTS first_attempt_at DateTime64(6, 'UTC') DEFAULT if(attempts = 1, updated_at, toDateTime64(0, 6, 'UTC')) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS last_attempt_at DateTime64(6, 'UTC') DEFAULT if(attempts > 0, updated_at, toDateTime64(0, 6, 'UTC')) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS outcome LowCardinality(String) DEFAULT multiIf(attempts = 0, '', state IN ('delivered', 'unknown'), state, status_code != 0, 'bad_status', ''),
    ADD COLUMN IF NOT EXISTS answer String CODEC(ZSTD(1));

-- 00054_replays_parent.sql
ALTER TABLE `hooktape`.`replays_local` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS parent UUID;

ALTER TABLE `hooktape`.`replays` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS parent UUID;

-- 00055_commands_events.sql
ALTER TABLE `hooktape`.`commands_local` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS events Array(UUID);

ALTER TABLE `hooktape`.`commands` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS events Array(UUID);

-- 00056_endpoint_states_failing.sql
ALTER TABLE `hooktape`.`endpoint_states_local` ON CLUSTER `main`
    ADD COLUMN IF NOT EXISTS failing_since DateTime64(3, 'UTC'),
    ADD COLUMN IF NOT EXISTS answer String;

ALTER TABLE `hooktape`.`endpoint_states` ON CLUSTER `main`
    ADD COLUMN IF NOT EXISTS failing_since DateTime64(3, 'UTC'),
    ADD COLUMN IF NOT EXISTS answer String;

-- 00057_saved_views.sql
CREATE TABLE IF NOT EXISTS `hooktape`.`saved_views_local` ON CLUSTER `main`
(
    name     String,
    query    String, -- filters, in the form of the API's query
    deleted  Bool,
    saved_by String,
    saved_at DateTime64(6, 'UTC') DEFAULT now64(6),
    version  UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/hooktape/saved_views', '{replica}', version)
ORDER BY name
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `hooktape`.`saved_views` ON CLUSTER `main` AS `hooktape`.`saved_views_local`
ENGINE = Distributed('main', 'hooktape', 'saved_views_local', cityHash64(name));

-- 00058_replays_retries.sql
ALTER TABLE `hooktape`.`replays_local` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS retries String CODEC(ZSTD(1));

ALTER TABLE `hooktape`.`replays` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS retries String CODEC(ZSTD(1));

-- 00059_journeys.sql
CREATE OR REPLACE VIEW `hooktape`.`journeys` ON CLUSTER `main` AS
WITH
    arrayMap(g -> decodeURLComponent(trim(BOTH ' ' FROM g)), splitByChar(',', decodeURLComponent({goals:String}))) AS goals,
    arrayResize(goals, 8, '\xFF') AS steps,
    arrayMap(s -> toUInt8(arraySum((g, k) -> if(g = s, bitShiftLeft(1, k - 1), 0), steps, arrayEnumerate(steps))), steps) AS bits,
    [
        arrayFirst(v -> bitTest(v, 0), visits), arrayFirst(v -> bitTest(v, 1), visits), arrayFirst(v -> bitTest(v, 2), visits),
        arrayFirst(v -> bitTest(v, 3), visits), arrayFirst(v -> bitTest(v, 4), visits), arrayFirst(v -> bitTest(v, 5), visits),
        arrayFirst(v -> bitTest(v, 6), visits), arrayFirst(v -> bitTest(v, 7), visits)
    ] AS firsts, -- the first visit of each goal; 0: none
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    subscriber_key,
    first_channel AS channel,
    -- how many goals, each after the one before, and the last of them within the window
    arrayReduce(concat('windowFunnel(', toString({window_days:UInt32} * 86400000000), ')'), arrayMap(v -> bitShiftRight(v, 8), visits),
        arrayMap(v -> bitTest(v, 0), visits), arrayMap(v -> bitTest(v, 1), visits), arrayMap(v -> bitTest(v, 2), visits),
        arrayMap(v -> bitTest(v, 3), visits), arrayMap(v -> bitTest(v, 4), visits), arrayMap(v -> bitTest(v, 5), visits),
        arrayMap(v -> bitTest(v, 6), visits), arrayMap(v -> bitTest(v, 7), visits)) AS reached,
    firsts[1] != 0 AS lead,
    firsts[length(goals)] != 0 AND reached = length(goals) AS converted,
    -- when each goal was first visited; the epoch: never
    arrayMap(v -> fromUnixTimestamp64Micro(toInt64(bitShiftRight(v, 8)), 'UTC'), arraySlice(firsts, 1, length(goals))) AS visited_at,
    visited_at[1] AS lead_at,
    reachable AS contact, -- whether an e-mail address or a phone number is known
    tagged,  -- whether any of the requests had a UTM tag
    its_tags AS tags, -- utm_source, utm_medium and utm_campaign, percent-encoded and joined by commas: quicker to group by than the three
    decodeURLComponent(splitByChar(',', its_tags)[1]) AS utm_source,
    decodeURLComponent(splitByChar(',', its_tags)[2]) AS utm_medium,
    decodeURLComponent(splitByChar(',', its_tags)[3]) AS utm_campaign,
    its_content AS utm_content,
    its_term AS utm_term
FROM
(
    WITH
        utm_source != '' OR utm_medium != '' OR utm_campaign != '' AS touching,
        concat(encodeURLComponent(utm_source), ',', encodeURLComponent(utm_medium), ',', encodeURLComponent(utm_campaign)) AS the_tags,
        transform(step, steps, bits, 0) AS its_goals
    SELECT
        subscriber_key,
        argMin(channel, received_at) AS first_channel,
        arraySort(groupArrayIf(bitShiftLeft(toUInt64(toUnixTimestamp64Micro(received_at)), 8) + its_goals, its_goals != 0)) AS visits,
        max(contact) AS reachable,
        max(utm_source != '' OR utm_medium != '' OR utm_campaign != '' OR utm_content != '' OR utm_term != '') AS tagged,
        if({attribution:String} = 'last', argMaxIf(the_tags, received_at, touching), argMinIf(the_tags, received_at, touching)) AS its_tags,
        if({attribution:String} = 'last', argMaxIf(utm_content, received_at, touching), argMinIf(utm_content, received_at, touching)) AS its_content,
        if({attribution:String} = 'last', argMaxIf(utm_term, received_at, touching), argMinIf(utm_term, received_at, touching)) AS its_term
    FROM events
    WHERE received_at >= toDateTime({from:String}) AND received_at <= toDateTime({to:String})
        AND source = decodeURLComponent({source:String}) AND verdict = 'accepted' AND kind = 'flow' AND subscriber_key != 0
    GROUP BY subscriber_key
)
WHERE (decodeURLComponent({channel:String}) = '*' OR has(chosen({channel:String}), first_channel))
    AND (decodeURLComponent({utm_source:String}) = '*' OR has(chosen({utm_source:String}), utm_source))
    AND (decodeURLComponent({utm_medium:String}) = '*' OR has(chosen({utm_medium:String}), utm_medium))
    AND (decodeURLComponent({utm_campaign:String}) = '*' OR has(chosen({utm_campaign:String}), utm_campaign))
    AND (decodeURLComponent({utm_content:String}) = '*' OR has(chosen({utm_content:String}), its_content))
    AND (decodeURLComponent({utm_term:String}) = '*' OR has(chosen({utm_term:String}), its_term));

-- 00060_attempts_source.sql
ALTER TABLE `hooktape`.`attempts_local` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS source LowCardinality(String);

ALTER TABLE `hooktape`.`attempts` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS source LowCardinality(String);

