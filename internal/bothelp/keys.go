package bothelp

import "hooktape/internal/event"

// Keys that are not simply columns: those of a chat webhook (help page "Chat Webhook reference") and the creation time
// for humans (help page "BotHelp Webhook").
const (
	keyEvent          = "event"
	keyEventTimestamp = "event_timestamp"
	keyCreatedAtShow  = "created_at_show"
)

// subscriberObject is the name of an object that holds a subscriber's keys.
const subscriberObject = "subscriber"

// column returns the place in out for the value of a key of BotHelp's flow webhook (help page "BotHelp Webhook"): a
// *string, **time.Time or **uint64; nil for a name that is not BotHelp's, hence the account owner's. Names are matched
// as they stand: Name or NAME is a custom field.
func column(out *event.Decoded, name []byte) any {
	switch string(name) {
	case "bothelp_user_id":
		return &out.BothelpUserID
	case "user_id":
		return &out.MessengerUserID
	case "messenger_username":
		return &out.MessengerUsername
	case "cuid":
		return &out.CUID
	case "ref":
		return &out.Ref
	case "name":
		return &out.Name
	case "first_name":
		return &out.FirstName
	case "last_name":
		return &out.LastName
	case "email":
		return &out.Email
	case "phone":
		return &out.Phone
	case "profile_link":
		return &out.ProfileLink
	case "conversations_count":
		return &out.ConversationsCount
	case "created_at":
		return &out.CreatedAt
	case "first_contact_at":
		return &out.FirstContactAt
	case "last_contact_at":
		return &out.LastContactAt
	case "utm_source":
		return &out.UTMSource
	case "utm_medium":
		return &out.UTMMedium
	case "utm_campaign":
		return &out.UTMCampaign
	case "utm_content":
		return &out.UTMContent
	case "utm_term":
		return &out.UTMTerm
	}
	return nil
}
