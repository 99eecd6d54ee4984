-- Deliveries that came to their end in the chosen time: taken by the endpoint, or given up.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    countIf(state = 'delivered') / count() AS "Success",
    countIf(state = 'delivered') AS "Delivered",
    countIf(state = 'failed') AS "Given up"
FROM deliveries FINAL
WHERE $__timeFilter(updated_at) AND state IN ('delivered', 'failed')
    AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
HAVING count() > 0
