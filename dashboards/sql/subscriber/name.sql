-- The last name that was sent of the person; the id, where none was.
WITH
    decodeURLComponent(decodeURLComponent('${subscriber:percentencode}')) AS person
SELECT if(countIf(name != '') = 0, any(bothelp_user_id), argMaxIf(name, received_at, name != '')) AS "Name"
FROM events
WHERE bothelp_user_id = person AND person != '' AND verdict = 'accepted'
HAVING count() > 0
