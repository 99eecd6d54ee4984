-- The UTM tags of the first and of the last flow request that has a source, medium or campaign. Of all time.
WITH
    decodeURLComponent(decodeURLComponent('${subscriber:percentencode}')) AS person,
    arrayJoin([('Source', 1), ('Medium', 2), ('Campaign', 3), ('Content', 4), ('Term', 5)]) AS tag
SELECT tag.1 AS "UTM", first[tag.2] AS "First touch", last[tag.2] AS "Last touch"
FROM
(
    WITH [utm_source, utm_medium, utm_campaign, utm_content, utm_term] AS touch
    SELECT argMin(touch, received_at) AS first, argMax(touch, received_at) AS last
    FROM events
    WHERE bothelp_user_id = person AND person != '' AND verdict = 'accepted' AND kind = 'flow'
        AND (utm_source != '' OR utm_medium != '' OR utm_campaign != '')
    HAVING count() > 0
)
ORDER BY tag.2
