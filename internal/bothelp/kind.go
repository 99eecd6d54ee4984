package bothelp

import (
	"strings"

	"hooktape/internal/chars"
	"hooktape/internal/event"
)

// judge determines the kind of a body from its top level.
//
// A chat webhook has the key event, but so has a flow webhook with a custom field of that name. The body is therefore a
// chat webhook if event has one of the two values in BotHelp's help pages, in any of their spellings, or if
// event_timestamp is beside it. In a chat webhook event_timestamp is the event's time; an event with another value is
// kept as a field. A flow webhook has no time: last_contact_at belongs to the conversation.
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

// eventName returns the value of the top level's event, or "" if it cannot be a name.
func (d *decoding) eventName() string {
	if d.event == nil || d.event.Kind() == '[' {
		return ""
	}
	return string(chars.Cut(d.scalar(d.event), maxText))
}

// wordBreaks removes the separators between the words of an event's name.
var wordBreaks = strings.NewReplacer("_", "", "-", "", " ", "")

// chatKind returns the kind for the name of a chat event. The help pages write conversation_closed and
// ConversationClosed.
func chatKind(name string) event.Kind {
	switch strings.ToLower(wordBreaks.Replace(name)) {
	case "conversationclosed":
		return event.KindConversationClosed
	case "userprofileviewed":
		return event.KindUserProfileViewed
	}
	return event.KindUnknown
}
