-- All requests to the webhook URLs by their first result: one that somebody accepted later counts as rejected, and once.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    count() AS "Received",
    countIf(verdict = 'accepted') / count() AS "Accepted",
    countIf(verdict != 'accepted') AS "Rejected",
    countIf(verdict = 'accepted' AND decode_error != '') AS "Partly unreadable"
FROM events
WHERE $__timeFilter(received_at)
    AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source)) AND accepted_by = ''
HAVING count() > 0
