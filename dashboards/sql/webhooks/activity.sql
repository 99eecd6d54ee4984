-- How long each source has been silent, and the pauses between its accepted requests in the last 14 days. The sources are those
-- of the last 90 days; the selected time does not matter.
WITH
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    source AS "Source",
    multiIf(requests = 0, 'silent', requests < 50, 'new', silent > longest, 'silent', silent > usual, 'quiet', 'usual') AS "State",
    silent AS "Silent for",
    if(requests < 2, NULL, usual) AS "Usual pause",
    if(requests < 2, NULL, longest) AS "Longest pause",
    last AS "Last request",
    requests AS "Last 14 days"
FROM
(
    SELECT
        source,
        max(received_at) AS last,
        dateDiff('second', last, now64(6)) AS silent,
        arraySort(groupArrayIf(toUnixTimestamp(received_at), received_at > now('UTC') - INTERVAL 14 DAY)) AS times,
        length(times) AS requests,
        arrayPopFront(arrayDifference(times)) AS pauses,
        arrayReduce('quantile(0.99)', pauses) AS usual,
        arrayMax(pauses) AS longest
    FROM events
    WHERE received_at > now('UTC') - INTERVAL 90 DAY AND verdict = 'accepted'
        AND (decodeURLComponent('${sources:percentencode}') = '*' OR has(chosen('${sources:percentencode}'), source))
    GROUP BY source
)
ORDER BY indexOf(['silent', 'quiet', 'usual', 'new'], "State"), source
