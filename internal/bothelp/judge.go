package bothelp

import (
	"strings"

	"hooktape/internal/chars"
	"hooktape/internal/event"
)

// judge tells the kind of a body from its top level.
//
// Only a chat webhook has an event; but a flow webhook has it too where the account's owner called a custom field so.
// Hence it is a chat webhook if event has one of the two names that BotHelp's help pages give, in any of their spellings,
// or if event_timestamp is beside it. In a chat webhook event_timestamp is the event's own time; an event of another name
// is kept as a field. A flow webhook has no time of its own: last_contact_at is the conversation's.
func (d *decoding) judge() {
	name := d.eventName()
	d.out.Kind = chatKind(name)
	d.chat = d.out.Kind != event.KindUnknown || name != "" && d.stamp != nil
	if d.chat && d.stamp != nil {
		d.set(&d.out.EventAt, []byte(keyEventTimestamp), d.stamp)
	}
	if !d.chat && d.stamp != nil {
		d.field([]byte(keyEventTimestamp), d.stamp)
	}
	if d.out.Kind == event.KindUnknown && d.event != nil {
		d.field([]byte(keyEvent), d.event)
	}
	if !d.chat && d.keyed {
		d.out.Kind = event.KindFlow
	}
}

// eventName is the value of the top level's event, "" where it cannot be a name.
func (d *decoding) eventName() string {
	if d.event == nil || d.event.Kind() == '[' {
		return ""
	}
	return string(chars.Cut(d.scalar(d.event), maxText))
}

// wordBreaks takes out what may stand between the words of an event's name.
var wordBreaks = strings.NewReplacer("_", "", "-", "", " ", "")

// chatKind is the kind that a chat event's name means. The help pages write conversation_closed and ConversationClosed.
func chatKind(name string) event.Kind {
	switch strings.ToLower(wordBreaks.Replace(name)) {
	case "conversationclosed":
		return event.KindConversationClosed
	case "userprofileviewed":
		return event.KindUserProfileViewed
	}
	return event.KindUnknown
}
