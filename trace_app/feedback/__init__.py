"""What consumers say of what they hold: complaints, reports of fakes, praise, and what became of them."""
