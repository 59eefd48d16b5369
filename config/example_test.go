package config_test

import (
	"fmt"

	"weir/config"
)

// A file becomes settings, or all its mistakes.
func ExampleParse() {
	cfg, err := config.Parse("weir.toml", `
domains = ["example.org"]
[stream]
stanza_bytes = "64 KiB"
`)
	fmt.Println(cfg.Domains, cfg.Stream.StanzaBytes, err)

	_, err = config.Parse("weir.toml", `
domain = ["example.org"]
[stream]
stanza_bytes = "64 kB"
`)
	fmt.Println(err)
	// Output:
	// [example.org] 65536 <nil>
	// weir.toml:2:1: unknown key domain; did you mean domains?
	// weir.toml:4:16: stanza_bytes is "64 kB"; it has to be a number of bytes like 65536 or "64 KiB"
}
