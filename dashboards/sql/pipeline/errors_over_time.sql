-- Spans with an error, over time, by operation.
WITH
    assumeNotNull((SELECT if(count() = 0, 'UTC', any(time_zone)) FROM system.time_zones WHERE time_zone = '${__timezone}')) AS zone,
    timezoneOffset(toTimeZone($__toTime, zone)) AS ahead
SELECT
    fromUnixTimestamp(intDiv(toUnixTimestamp(Timestamp) + ahead, $__interval_s ) * $__interval_s - ahead) AS time,
    multiIf(SpanName = 'deliver', 'delivery attempt', SpanName = 'forward', 'external request', SpanName = 'drain insert', 'insert', 'response to BotHelp') AS series,
    count() AS errors
FROM otel_traces
WHERE $__timeFilter(Timestamp) AND StatusCode = 'Error'
    AND (SpanName IN ('deliver', 'forward') OR SpanAttributes['hooktape.endpoint'] = '')
GROUP BY time, series
ORDER BY time, series
