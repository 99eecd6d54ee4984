-- Attempts by endpoint and status code of the response. An attempt without a status had no response.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    endpoint AS "Endpoint",
    if(status_code = 0, 'none', toString(status_code)) AS "Status",
    count() AS "Attempts",
    max(started_at) AS "Last",
    argMax(error, started_at) AS "Last error"
FROM attempts
WHERE $__timeFilter(started_at) AND kind = 'delivery'
    AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
GROUP BY status_code, endpoint
ORDER BY "Attempts" DESC
LIMIT 100
