-- One trace and what belongs to it: a request, the insert that stored it, and each delivery attempt. Without a selected trace,
-- the slowest request of the selected time.
WITH
    trim(BOTH ' ' FROM decodeURLComponent('${trace_id:percentencode}')) AS wanted,
    if(wanted != '', wanted, assumeNotNull((
        SELECT argMax(TraceId, Duration)
        FROM otel_traces
        WHERE wanted = '' AND $__timeFilter(Timestamp) AND SpanKind = 'Server' AND SpanName LIKE '% /hooks/%'
    ))) AS asked,
    toUUIDOrZero(assumeNotNull((
        SELECT any(SpanAttributes['hooktape.event.id'])
        FROM otel_traces
        WHERE TraceId = asked
    ))) AS event,
    UUIDv7ToDateTime(event) AS arrived,
    assumeNotNull((
        SELECT any((trace_id, span_id, stored_at))
        FROM events
        WHERE id = event AND received_at >= arrived - INTERVAL 1 SECOND AND received_at <= arrived + INTERVAL 1 SECOND
    )) AS request,
    (keys, values) -> arrayMap((k, v) -> map('key', toString(k), 'value', v), keys, values) AS pairs
SELECT
    asked AS traceID,
    SpanId AS spanID,
    multiIf(ParentSpanId != '', ParentSpanId, SpanId = request.2, '', request.2) AS parentSpanID,
    ServiceName AS serviceName,
    multiIf(
        SpanName = 'deliver', concat('deliver to ', SpanAttributes['hooktape.endpoint'], ', attempt ', SpanAttributes['hooktape.attempt']),
        SpanName = 'forward', concat('forward to ', SpanAttributes['hooktape.endpoint']),
        SpanName = 'drain insert', concat('store ', SpanAttributes['hooktape.batch.rows'], ' requests'),
        SpanAttributes['hooktape.source'] != '', concat('receive ', SpanAttributes['hooktape.source'],
            if(SpanAttributes['hooktape.step'] = '', '', concat(' / ', SpanAttributes['hooktape.step']))),
        SpanName) AS operationName,
    toUnixTimestamp64Nano(Timestamp) / 1e6 AS startTime,
    Duration / 1e6 AS duration,
    arrayConcat(
        pairs(mapKeys(SpanAttributes), mapValues(SpanAttributes)),
        if(StatusCode = 'Error', pairs(['error', 'error.message'], ['true', StatusMessage]), [])) AS tags,
    pairs(mapKeys(ResourceAttributes), mapValues(ResourceAttributes)) AS serviceTags
FROM
(
    SELECT *
    FROM otel_traces
    WHERE TraceId != '' AND TraceId IN
    (
        SELECT asked
        UNION ALL
        SELECT request.1
        UNION ALL
        SELECT trace_id FROM attempts WHERE event_id = event AND toUInt128(event) != 0
    )
    UNION ALL
    SELECT *
    FROM otel_traces
    WHERE SpanName = 'drain insert' AND request.1 != '' AND has(Links.TraceId, request.1) AND TraceId != asked
        AND Timestamp >= arrived - INTERVAL 1 SECOND AND Timestamp <= request.3 + INTERVAL 1 SECOND
)
ORDER BY Timestamp
LIMIT 500
