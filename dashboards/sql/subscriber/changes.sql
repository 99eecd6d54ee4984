-- Changes from one flow request of the subscriber to a later one: custom fields, name, e-mail and phone. Of all time.
WITH
    decodeURLComponent(decodeURLComponent('${subscriber:percentencode}')) AS person
SELECT at AS "When", field AS "Field", before AS "Before", value AS "After", place AS "Source"
FROM
(
    SELECT
        at, field, value, place,
        if(row_number() OVER sent = 1, '', lagInFrame(value) OVER sent) AS before,
        min(at) OVER () AS first
    FROM
    (
        SELECT
            received_at AS at,
            concat(source, if(step = '', '', concat(' / ', step))) AS place,
            arrayJoin(arrayConcat(
                CAST(fields, 'Array(Tuple(String, String))'),
                arrayFilter(p -> p.2 != '', [('Name', name), ('E-mail', email), ('Phone', phone)]))) AS pair,
            pair.1 AS field,
            pair.2 AS value
        FROM events
        WHERE bothelp_user_id = person AND person != '' AND verdict = 'accepted' AND kind = 'flow'
    )
    WINDOW sent AS (PARTITION BY field ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
WHERE at > first AND value != before
ORDER BY at DESC, field
LIMIT 500
