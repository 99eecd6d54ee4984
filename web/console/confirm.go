package console

import "html/template"

// confirmPage asks before the user's form is acted on.
type confirmPage struct {
	Question, Button string
	Reasons          []template.HTML // to hesitate
	Action           string
	Fields           map[string][]string
	Back             string
}

// confirmed reports whether a form may be acted on: there is no reason to hesitate, or the user has confirmed it. If
// not, it answers with a page that names the reasons and has a button that sends the form again.
func (v *visit) confirmed(question, button string, reasons []template.HTML) (bool, error) {
	if len(reasons) == 0 || v.PostForm.Has("confirmed") {
		return true, nil
	}
	return false, v.show("confirm", "Confirm", confirmPage{question, button, reasons, v.URL.RequestURI(), v.PostForm,
		backOf(v.Request)})
}
