-- UTM values that are equal after normalization (hooktape's internal/store/text.go): they differ only in case, spaces,
-- composition of letters or invisible characters. With the number of requests for each spelling.
SELECT
    tag AS "Tag",
    normalized AS "Normalized",
    arrayStringConcat(arrayMap(s -> concat('"', s.2, '" ', toString(s.1)), arrayReverseSort(groupArray((n, value)))), ' · ') AS "Spellings and requests",
    sum(n) AS "Requests"
FROM
(
    SELECT
        tags.1 AS tag,
        tags.2 AS value,
        trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(value)), 'ё', 'е'), '\\s+', ' ')) AS normalized,
        sum(requests) AS n
    FROM
    (
        SELECT utm_source, utm_medium, utm_campaign, utm_content, utm_term, count() AS requests
        FROM events
        WHERE $__timeFilter(received_at) AND source = decodeURLComponent('${source:percentencode}')
            AND verdict = 'accepted' AND kind = 'flow' AND subscriber_key != 0
        GROUP BY ALL
    )
    ARRAY JOIN [('source', utm_source), ('medium', utm_medium), ('campaign', utm_campaign), ('content', utm_content), ('term', utm_term)] AS tags
    WHERE value != ''
    GROUP BY tag, value
)
GROUP BY tag, normalized
HAVING count() > 1
ORDER BY "Requests" DESC
LIMIT 100
