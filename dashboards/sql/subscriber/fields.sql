-- The custom fields in the subscriber's flow requests: the last value of each, since when, and how often it changed. Of all
-- time.
WITH
    decodeURLComponent(decodeURLComponent('${subscriber:percentencode}')) AS person
SELECT
    field AS "Field",
    argMax(value, at) AS "Last value",
    maxIf(at, changed) AS "Since",
    countIf(changed) - 1 AS "Changes"
FROM
(
    SELECT at, field, value, row_number() OVER sent = 1 OR value != lagInFrame(value) OVER sent AS changed
    FROM
    (
        SELECT
            received_at AS at,
            arrayJoin(CAST(fields, 'Array(Tuple(String, String))')) AS pair,
            pair.1 AS field,
            pair.2 AS value
        FROM events
        WHERE bothelp_user_id = person AND person != '' AND verdict = 'accepted' AND kind = 'flow'
    )
    WINDOW sent AS (PARTITION BY field ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
GROUP BY field
ORDER BY field
