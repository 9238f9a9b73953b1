// The front end alone, without the compiler behind it: check, format and print files.
int main() { return 0; }
