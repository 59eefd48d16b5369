package jid_test

import (
	"fmt"

	"weir/jid"
)

func Example() {
	j, err := jid.Parse("Juliet@Example.COM./Balcony")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(j)
	fmt.Println(j.Local(), j.Domain(), j.Resource())
	fmt.Println(j.Bare() == jid.MustParse("juliet@example.com"))
	// Output:
	// juliet@example.com/Balcony
	// juliet example.com Balcony
	// true
}
