package admin

// Requests lists what can be asked.
func Requests() []string {
	var all []string
	for p := range (&Control{}).table() {
		all = append(all, p)
	}
	return all
}
