// Parameters that EM leaves at the values of its start; it maximises over the others.
#pragma once

#include "linear_algebra/arrays.hpp"

namespace bayesgmm {

using Mask = View<const bool, 1>;

// True where a parameter is held.
struct Held {
    Mask weights;               // (K,)
    View<const bool, 2> means;  // (K, D)
    Mask covariances;           // (K,): whole ones

    static bool all(Mask of) { return std::find(of.begin(), of.end(), false) == of.end(); }
    static bool any(Mask of) { return std::find(of.begin(), of.end(), true) != of.end(); }
    bool has_means(Index c) const { return any(means[c]); }
    // Whether nothing of a component is free, so that it needs no rows.
    bool whole(Index c) const { return weights[c] && covariances[c] && all(means[c]); }
};

// Put back held weights, and scale the others to a sum of what those leave.
inline void share_rest(const Held &held, ConstVector values, Vector weights) {
    double left = 1.0, total = 0.0;
    for (Index c = 0; c < weights.size(); ++c) {
        if (held.weights[c])
            left -= weights[c] = values[c];
        else
            total += weights[c];
    }
    for (Index c = 0; c < weights.size(); ++c)
        if (!held.weights[c]) weights[c] = left * (weights[c] / total);
}

}  // namespace bayesgmm
