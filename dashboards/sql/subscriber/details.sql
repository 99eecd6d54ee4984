-- The last value of each field of the subscriber; the page in BotHelp if the account's name is known. Of all time, not only
-- of the selected one.
WITH
    decodeURLComponent(decodeURLComponent('${subscriber:percentencode}')) AS person,
    decodeURLComponent('${bothelp_account:percentencode}') AS account
SELECT
    argMaxIf(email, received_at, email != '') AS "E-mail",
    argMaxIf(phone, received_at, phone != '') AS "Phone",
    argMaxIf(channel, received_at, channel != '') AS "Messenger",
    argMaxIf(profile_link, received_at, match(profile_link, '^(https?|viber|tg|whatsapp)://')) AS "Profile",
    if(account = '' OR match(account, '[^A-Za-z0-9-]'),
        '', concat('https://', account, '.bothelp.io/flow2/people/', encodeURLComponent(person))) AS "In BotHelp",
    min(received_at) AS "First seen",
    max(received_at) AS "Last seen",
    count() AS "Requests"
FROM events
WHERE bothelp_user_id = person AND person != '' AND verdict = 'accepted'
HAVING count() > 0
