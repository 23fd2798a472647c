package main

import "testing"

// TestAllJudgesAgree asks everybody thousands of random questions: a time
// counts only with the same answer.
func TestAllJudgesAgree(t *testing.T) {
	e := newEstate(2000, 4000, 7)
	judges, err := all(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := agree(e, judges); err != nil {
		t.Error(err)
	}
	if n := e.allowed(); n < 1000 || n > 3000 {
		t.Errorf("%d of %d are allowed: the questions do not tell judges apart", n, len(e.questions))
	}
}

// TestDisagreementIsFound makes one judge wrong about one question.
func TestDisagreementIsFound(t *testing.T) {
	e := newEstate(100, 50, 7)
	j, err := byMap(e)
	if err != nil {
		t.Fatal(err)
	}
	right := j.ask
	j.ask = func(i int) bool { return right(i) != (i == 49) }
	if agree(e, []*judge{j}) == nil {
		t.Error("it was not found")
	}
}
