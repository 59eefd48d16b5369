package policy_test

import (
	"fmt"

	"weir/policy"
)

func ExampleSet_Find() {
	set, err := policy.Parse(policy.Options{
		Classes: []string{"phone software=Conversations"},
		Rules:   []string{"single role=guest", "open max=2 class=phone"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Find(&policy.Client{Role: "guest"}))
	fmt.Println(set.Find(&policy.Client{Role: "user", Software: "Conversations 2.16"}))
	fmt.Println(set.Find(&policy.Client{Role: "user", Software: "Gajim"}))
	// Output:
	// single role=guest
	// open max=2 class=phone
	// open
}
