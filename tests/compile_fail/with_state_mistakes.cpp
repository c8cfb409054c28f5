// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <memory>
#include <string>

struct Model {
    int factor = 1;
};
int overloaded(Model&, int);
int overloaded(Model&, double);

void use(procpool::Pool& pool, const std::string& text) {
    // expect-error: for a generic lambda or function object say which it is: with_state<Model>.f.
    const auto first = procpool::with_state([](auto& model, int x) { return model.factor * x; });
    // expect-error: in a function that takes it first, by reference
    const auto second = procpool::with_state([](int x) { return x; });
    // expect-error: does not take the state that with_state<State>.. should give it
    const auto third = procpool::with_state<Model>([](std::string& other, int x) { return other.size() + x; });
    // expect-error: this closure cannot travel
    const auto fourth = procpool::with_state([text](Model& model) { return text.size() + model.factor; });
    // expect-error: too many arguments for this function
    pool.apply(procpool::with_state([](Model& model, int x) { return model.factor * x; }), 1, 2);
    // expect-error: takes an argument by reference
    pool.apply(procpool::with_state([](Model& model, int& x) { x = model.factor; }), 1);
}
