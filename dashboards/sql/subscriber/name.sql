-- The subscriber's last name; the id if there is none.
WITH
    decodeURLComponent(decodeURLComponent('${subscriber:percentencode}')) AS person
SELECT if(countIf(name != '') = 0, any(bothelp_user_id), argMaxIf(name, received_at, name != '')) AS "Name"
FROM events
WHERE bothelp_user_id = person AND person != '' AND verdict = 'accepted'
HAVING count() > 0
