package lab

// Error is a reason why a lab cannot be made, in words for the person at the
// terminal: what is wrong, and what to do about it.
type Error struct {
	What   string
	Do     string
	Holder int // the process in which another lab of that prefix lives; 0 if that is not the reason
}

// Error renders both on one line.
func (e *Error) Error() string { return e.What + "; " + e.Do }
