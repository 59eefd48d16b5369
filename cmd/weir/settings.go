package main

import (
	"os"

	"weir/config"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settings are the flags of a command that are settings of the configuration.
type settings struct {
	flags *pflag.FlagSet
	file  string
	keys  map[string]string // flag to key
}

// settingsOf adds --config and --data to a command, and with serve the flags of
// what else a server may be told.
func settingsOf(cmd *cobra.Command, serve bool) *settings {
	s := &settings{flags: cmd.Flags(), keys: map[string]string{}}
	s.flags.StringVar(&s.file, "config", "", "configuration `FILE`, as \"weir config\" prints it (WEIR_CONFIG)")
	_ = cmd.MarkFlagFilename("config", "toml")
	s.add("data", "data", "DIR", `folder for everything that is kept (default "./weir-data")`)
	_ = cmd.MarkFlagDirname("data")
	s.add("domain", "domains", "DOMAIN", "domain to serve, may be given several times (default localhost)")
	if !serve {
		return s
	}
	s.add("c2s", "listen.c2s", "ADDR", `address for clients that begin without TLS and have to go on with STARTTLS (default ":5222")`)
	s.add("c2s-tls", "listen.c2s_tls", "ADDR", `address for clients that begin with TLS (default ":5223")`)
	s.add("c2s-insecure", "listen.c2s_insecure", "ADDR", "loopback address where TLS is offered but not required: for measurements and proxies")
	s.add("c2s-insecure-anywhere", "listen.insecure_anywhere", "", "allow --c2s-insecure on an address that others reach")
	s.add("component", "listen.component", "ADDR", "loopback address for external components (XEP-0114)")
	s.add("metrics", "listen.metrics", "ADDR", "address that serves metrics for Prometheus, without a password: a loopback or private one")
	s.add("log-level", "log.level", "LEVEL", "debug, info, warn or error (default info)")
	s.add("log-format", "log.format", "FORMAT", "text or json (default text)")
	s.choices(cmd, "log-level", "debug", "info", "warn", "error")
	s.choices(cmd, "log-format", "text", "json")
	return s
}

func (s *settings) choices(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

func (s *settings) add(name, key, value, usage string) {
	f := s.flags.VarPF(&setting{typ: value, list: key == "domains"}, name, "", usage)
	if value == "" {
		f.NoOptDefVal = "true"
	}
	s.keys[name] = key
}

// load puts the configuration together.
func (s *settings) load() (config.Config, error) { return config.Load(s.source()) }

// source is where the settings of this command come from.
func (s *settings) source() config.Source {
	src := config.Source{File: s.file, Environ: os.Environ()}
	if !s.flags.Changed("config") {
		src.File = os.Getenv(config.FileVariable)
	}
	s.flags.Visit(func(f *pflag.Flag) {
		if key := s.keys[f.Name]; key != "" {
			src.Flags = append(src.Flags, config.Flag{Name: "--" + f.Name, Key: key, Value: f.Value.String()})
		}
	})
	return src
}

// setting is a flag whose text is looked at by package config.
type setting struct {
	typ  string // shown in the help, "" for a switch
	list bool
	text string
}

// Set implements pflag.Value.
func (s *setting) Set(text string) error {
	if s.list && s.text != "" {
		text = s.text + "," + text
	}
	s.text = text
	return nil
}

// String implements pflag.Value.
func (s *setting) String() string { return s.text }

// Type implements pflag.Value.
func (s *setting) Type() string {
	if s.typ == "" {
		return "bool"
	}
	return s.typ
}
