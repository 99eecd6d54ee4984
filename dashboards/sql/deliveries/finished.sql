-- Deliveries that finished in the selected time: delivered or failed.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    countIf(state = 'delivered') / count() AS "Success",
    countIf(state = 'delivered') AS "Delivered",
    countIf(state = 'failed') AS "Failed"
FROM deliveries FINAL
WHERE $__timeFilter(updated_at) AND state IN ('delivered', 'failed')
    AND (decodeURLComponent('${endpoints:percentencode}') = '*' OR has(chosen('${endpoints:percentencode}'), endpoint))
HAVING count() > 0
