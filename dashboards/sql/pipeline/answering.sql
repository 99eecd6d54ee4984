-- Milliseconds from having read a request's head to having answered BotHelp.
SELECT ms[1] AS "Half within", ms[2] AS "99 of 100 within"
FROM
(
    SELECT quantiles(0.5, 0.99)(Duration / 1e6) AS ms
    FROM otel_traces
    WHERE $__timeFilter(Timestamp) AND SpanKind = 'Server' AND SpanName LIKE '% /hooks/%'
    HAVING count() > 0
)
