// The program that the tests' precompiled headers belong to. Leaves out: the headers, which CMakeLists.txt names.
int main() {}
