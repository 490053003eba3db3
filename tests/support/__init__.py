"""What tests share: oracles by enumeration, tolerances, random problems, cases for the adapters."""
