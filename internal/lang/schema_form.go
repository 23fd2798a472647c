package lang

// form is what may stand at one place of a document: enough to write it in
// order, and to tell an editor what to offer. The zero form is anything.
// A nil form is of what is not known.
type form struct {
	about    string
	name     string // of what stands at many places
	shape    shape
	fields   []member // of an object, in the order in which they are written
	item     *form    // of a list, and of the values of a dictionary
	either   []*form  // any of these, which differ in their shape
	words    []string // of a text: one of these, if there are any
	pattern  string   // of a text, unless empty
	lo, hi   int      // of a number
	selector bool     // of a text: it is a label selector
	asItWas  bool     // of an object: in whatever order its writer chose
	choices  []choice // of an object: what it is more exactly; fields are then those of all choices
	// needOneOf are fields of which exactly one must be there.
	needOneOf []string
	// needAnyOf are fields of which at least one must be there.
	needAnyOf []string
}

// shape is the kind of node that stands at a place.
type shape uint8

const (
	anything shape = iota
	aText
	aNumber
	aTruth
	anObject
	aList
	aDictionary
	eitherOf
)

// member is a field of an object.
type member struct {
	name     string
	required bool
	form     *form
}

// choice is what an object is if its field has the value, or, without a value,
// if it has no such field.
type choice struct {
	field, value string
	form         *form
}

// member returns the form of a field; nil if that is not known.
func (f *form) member(name string) *form {
	if f == nil {
		return nil
	}
	if f.shape == eitherOf {
		return f.with(anObject).member(name)
	}
	if f.shape == aDictionary {
		return f.item
	}
	for _, m := range f.fields {
		if m.name == name {
			return m.form
		}
	}
	return nil
}

// entry returns the form of a list's entries; nil if that is not known.
func (f *form) entry() *form {
	switch {
	case f == nil:
		return nil
	case f.shape == eitherOf:
		return f.with(aList).entry()
	case f.shape != aList:
		return nil
	}
	return f.item
}

// with returns the alternative of a shape; nil if there is none.
func (f *form) with(s shape) *form {
	if f == nil || f.shape != eitherOf {
		return f
	}
	for _, one := range f.either {
		if one.shape == s {
			return one
		}
	}
	return nil
}

func text(about string) *form { return &form{about: about, shape: aText} }

func matching(about, pattern string) *form {
	return &form{about: about, shape: aText, pattern: pattern}
}

func selecting(about string) *form { return &form{about: about, shape: aText, selector: true} }

func oneWord(about string, words []string) *form {
	return &form{about: about, shape: aText, words: words}
}

func whole(about string, lo, hi int) *form {
	return &form{about: about, shape: aNumber, lo: lo, hi: hi}
}

func truth(about string) *form { return &form{about: about, shape: aTruth} }

func list(about string, item *form) *form { return &form{about: about, shape: aList, item: item} }

func either(about string, forms ...*form) *form {
	return &form{about: about, shape: eitherOf, either: forms}
}

func object(about string, fields ...member) *form {
	return &form{about: about, shape: anObject, fields: fields}
}

func (f *form) oneOf(names ...string) *form {
	f.needOneOf = names
	return f
}

func (f *form) anyOf(names ...string) *form {
	f.needAnyOf = names
	return f
}

func (f *form) called(name string) *form {
	f.name = name
	return f
}

func must(name string, f *form) member { return member{name, true, f} }
func can(name string, f *form) member  { return member{name, false, f} }
