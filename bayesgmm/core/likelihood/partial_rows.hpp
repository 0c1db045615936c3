// Rows seen in part, or through noise: the sums of the kernel from what was observed.
//
// Of a row z from the mixture x_o = z_o + e is observed: o are the entries that were seen, and
// e ~ N(0, S) with a covariance S of the row's own. Given component k, with Sigma_k = F F',
// T = Sigma_oo + S_oo = L L' and F_o the rows o of F,
//
//     q = L^-1 (x_o - mu_o),   Y = L^-1 F_o
//     l_kb = log w_k - log det L - |o|/2 log(2 pi) - |q|^2 / 2
//     E[z - mu | x] = F Y'q,   Cov[z | x] = F (I - Y'Y) F'.
//
// (Ghahramani & Jordan 1994, NIPS 6, 120-127; Bovy, Hogg & Roweis 2011, Annals of Applied Statistics
// 5, 1657-1677.) In coordinates F^-1 (z - mu), in which the component is standard, what is added up
// is
//
//     a += r Y'q,   b += r (Y'q q'Y - Y'Y);   at the end A = F a,  B = F (b + N I) F'.
//
// T is factored in the units of the data: an S without bound in an entry is the entry not seen. An
// entry that is not seen has zeros in q and Y. Rows that see the same entries through the same noise
// are Gaussian with one T, and one pass of the kernel sums them up; others lie side by side in the
// lanes of vectors.
#pragma once

#include <memory>

#include "likelihood/kernel.hpp"

namespace bayesgmm {

inline bool is_missing(double x) { return std::isnan(x); }

// Whether a pass has to look at what was seen of each row.
inline bool seen_in_part(ConstMatrix x, ConstMatrix errors) {
    return !errors.empty() || std::any_of(x.begin(), x.end(), is_missing);
}

// --- covariances and their roots, as this pass wants them -----------------------------------------

// F and Sigma of all components, with zeros up to a size that tiles divide.
struct RootsAndCovariances {
    Tables roots, covariances;  // (K, P, P)

    template <int Axes>
    RootsAndCovariances(const Gaussians<Axes> &mixture, Index padded)
        : roots(mixture.k(), padded, padded), covariances(mixture.k(), padded, padded) {
        const Index d = mixture.d();
        auto root = zeros_like(mixture.factors[0]), covariance = root;
        for (Index c = 0; c < mixture.k(); ++c) {
            if (!invert_lower(mixture.factors[c], root.view())) fill(root.flat(), NOT_A_NUMBER);
            outer_product(root.view(), covariance.view());
            mirror(covariance.view());
            for (Index i = 0; i < d; ++i) {
                const ConstVector of_root = row_of(root.view(), i);
                const ConstVector of_covariance = row_of(covariance.view(), i);
                for (Index j = i + 1 - of_root.size(), m = 0; j <= i; ++j, ++m) {
                    roots(c, i, j) = of_root[m];
                    covariances(c, i, j) = covariances(c, j, i) = of_covariance[m];
                }
            }
        }
    }
};

// log w of all components.
template <int Axes>
Numbers log_weights_of(const Gaussians<Axes> &mixture) {
    Numbers out(mixture.k());
    for (Index c = 0; c < mixture.k(); ++c) {
        out(c) = mixture.constants.view()[c] + static_cast<double>(mixture.d()) * HALF_LOG_2_PI;
        for (Index j = 0; j < mixture.d(); ++j) out(c) -= std::log(pivot(mixture.factors[c], j));
    }
    return out;
}

// --- rows in lanes --------------------------------------------------------------------------------

inline Vec square_root(Vec v) {
    double lanes[LANES];
    store(v, lanes);
    for (double &each : lanes) each = std::sqrt(each);
    return load(lanes);
}

// Matrices (P, P) of vectors, in tiles of T by T that stay in registers.
template <int T>
struct LaneTiles {
    using Tile = Vec[T][T];

    // s += sign * left right' of columns first..last-1; rows of left and right are `step` apart.
    template <class Left, class Right>
    [[gnu::always_inline]] static void add(Tile &s, double sign, Index first, Index last,
                                           const Left &left, const Right &right) {
        for (Index m = first; m < last; ++m) {
            Vec a[T], b[T];
            unrolled<T>([&](auto i) { a[i] = sign * left(i, m); });
            unrolled<T>([&](auto j) { b[j] = right(j, m); });
            unrolled<T>([&](auto i) { unrolled<T>([&](auto j) { s[i][j] += a[i] * b[j]; }); });
        }
    }

    // The lower triangle of `matrix` becomes its Cholesky factor; `inverse` (P,) that of the
    // diagonal. A pivot that rounding made too small is raised to `least` (P,).
    static void factor(double *matrix, Index p, const double *least, double *inverse) {
        const auto at = [&](Index i, Index j) { return matrix + (i * p + j) * LANES; };
        for (Index j = 0; j < p; j += T)
            for (Index i = j; i < p; i += T) {
                Tile s;
                unrolled<T>([&](auto a) {
                    unrolled<T>([&](auto b) { s[a][b] = load(at(i + a, j + b)); });
                });
                add(
                    s, -1.0, 0, j, [&](Index a, Index m) { return load(at(i + a, m)); },
                    [&](Index b, Index m) { return load(at(j + b, m)); });
                if (i == j)
                    factor_tile(s, least + j * LANES, inverse + j * LANES);
                else
                    unrolled<T>([&](auto b) {
                        unrolled<b()>([&](auto c) {
                            const Vec l = load(at(j + b, j + c));
                            unrolled<T>([&](auto a) { s[a][b] -= s[a][c] * l; });
                        });
                        const Vec inverse_of = load(inverse + (j + b) * LANES);
                        unrolled<T>([&](auto a) { s[a][b] *= inverse_of; });
                    });
                unrolled<T>([&](auto a) {
                    unrolled<T>([&](auto b) { store(s[a][b], at(i + a, j + b)); });
                });
            }
    }

    // y = L^-1 root, lower triangular, where rows of `root` count if they were seen.
    static void solve(const double *lower, const double *inverse, ConstMatrix root,
                      const double *seen, double *y) {
        const Index p = root.shape[0];
        const auto at = [&](Index i, Index j) { return (i * p + j) * LANES; };
        for (Index i = 0; i < p; i += T)
            for (Index j = 0; j <= i; j += T) {
                Tile s;
                unrolled<T>([&](auto a) {
                    const Vec is_seen = load(seen + (i + a) * LANES);
                    unrolled<T>([&](auto b) { s[a][b] = root(i + a, j + b) * is_seen; });
                });
                add(
                    s, -1.0, j, i, [&](Index a, Index m) { return load(lower + at(i + a, m)); },
                    [&](Index b, Index m) { return load(y + at(m, j + b)); });
                unrolled<T>([&](auto a) {
                    unrolled<a()>([&](auto c) {
                        const Vec l = load(lower + at(i + a, i + c));
                        unrolled<T>([&](auto b) { s[a][b] -= l * s[c][b]; });
                    });
                    const Vec inverse_of = load(inverse + (i + a) * LANES);
                    unrolled<T>([&](auto b) {
                        s[a][b] *= inverse_of;
                        store(s[a][b], y + at(i + a, j + b));
                    });
                });
            }
    }

    // The lower triangle of y'y, packed by rows.
    static void gram(const double *y, Index p, double *packed) {
        const auto at = [&](Index i, Index j) { return load(y + (i * p + j) * LANES); };
        for (Index i = 0; i < p; i += T)
            for (Index j = 0; j <= i; j += T) {
                Tile s = {};
                add(
                    s, 1.0, i, p, [&](Index a, Index m) { return at(m, i + a); },
                    [&](Index b, Index m) { return at(m, j + b); });
                for (Index a = 0; a < T; ++a)
                    for (Index b = 0; b < T && j + b <= i + a; ++b)
                        store(s[a][b], packed + ((i + a) * (i + a + 1) / 2 + j + b) * LANES);
            }
    }

private:
    static void factor_tile(Tile &s, const double *least, double *inverse) {
        unrolled<T>([&](auto b) {
            s[b][b] = square_root(greater(s[b][b], load(least + b * LANES)));
            const Vec inverse_of = 1.0 / s[b][b];
            store(inverse_of, inverse + b * LANES);
            unrolled<T - 1 - b()>([&](auto below) {
                constexpr int a = b() + 1 + below();
                s[a][b] *= inverse_of;
                unrolled<a - b()>(
                    [&](auto c) { s[a][b() + 1 + c] -= s[a][b] * s[b() + 1 + c][b]; });
            });
        });
    }
};

// LANES rows side by side. Their log joint densities, and for each component z = Y'q and Y'Y.
class LaneRows {
public:
    LaneRows(const Rows &rows, Index k)
        : rows_(rows), d_(rows.x.shape[1]), small_(d_ <= 6), p_(padded(d_)), x_(p_, LANES),
          seen_(p_, LANES), least_(p_, LANES), inverse_(p_, LANES), q_(p_, LANES),
          errors_(rows.errors.empty() ? 0
                  : has_matrices()    ? p_ * p_
                                      : p_,
                  LANES),
          lower_(p_ * p_, LANES), y_(p_ * p_, LANES), z_(k * p_, LANES),
          grams_(k * triangle(), LANES) {}

    static Index padded(Index d) {
        const Index tile = d <= 6 ? 2 : TILE;
        return (d + tile - 1) / tile * tile;
    }

    // Rows first..first+count-1; zeros, of which nothing is seen, in the other lanes.
    void load_rows(Index first, Index count) {
        fill(x_.flat(), 0.0);
        fill(seen_.flat(), 0.0);
        for (Index b = 0; b < count; ++b) {
            const ConstVector row = rows_.x[first + b];
            for (Index j = 0; j < d_; ++j) {
                if (is_missing(row[j])) continue;
                x_(j, b) = (row[j] - rows_.shift[j]) * rows_.scale[j];
                seen_(j, b) = 1.0;
            }
        }
        if (!rows_.errors.empty()) load_errors(first, count);
        Vec number = {};
        for (Index j = 0; j < d_; ++j) number += load(&seen_(j, 0));
        constant_ = -HALF_LOG_2_PI * number;
    }

    // The log joint density of component c; fills z and Y'Y if `moments`.
    Vec log_joint(const RootsAndCovariances &of, ConstVector mean, double log_weight, Index c,
                  bool moments) {
        return small_ ? log_joint<2>(of, mean, log_weight, c, moments)
                      : log_joint<TILE>(of, mean, log_weight, c, moments);
    }

    // z of component c, feature j; entry e of its Y'Y, packed by rows.
    Vec z(Index c, Index j) const { return load(z_.view()[c * p_ + j].data); }
    Vec gram(Index c, Index e) const { return load(grams_.view()[c * triangle() + e].data); }

private:
    Index triangle() const { return p_ * (p_ + 1) / 2; }
    bool has_matrices() const { return rows_.errors.shape[1] > d_; }

    void load_errors(Index first, Index count) {
        const bool common = rows_.errors.shape[0] == 1;
        if (common && std::exchange(has_common_, true)) return;
        fill(errors_.flat(), 0.0);
        for (Index b = 0; b < (common ? LANES : count); ++b) {
            const ConstVector s = rows_.errors[common ? 0 : first + b];
            for (Index i = 0; i < d_; ++i) {
                const double unit = rows_.scale[i];
                if (!has_matrices()) {
                    errors_(i, b) = s[i] * unit * unit;
                    continue;
                }
                for (Index j = 0; j <= i; ++j)
                    errors_(i * p_ + j, b) = s[i * d_ + j] * unit * rows_.scale[j];
            }
        }
    }

    // T, with the identity in the place of what was not seen.
    void set_total(ConstMatrix covariance) {
        const bool none = rows_.errors.empty(), matrices = !none && has_matrices();
        for (Index i = 0; i < p_; ++i) {
            const Vec seen = load(&seen_(i, 0));
            for (Index j = 0; j <= i; ++j) {
                Vec t = splat(covariance(i, j));
                if (matrices)
                    t += load(&errors_(i * p_ + j, 0));
                else if (!none && i == j)
                    t += load(&errors_(i, 0));
                t *= seen * load(&seen_(j, 0));
                if (i == j) {
                    t += 1.0 - seen;
                    store(EPSILON * t, &least_(i, 0));
                }
                store(t, &lower_(i * p_ + j, 0));
            }
        }
    }

    template <int T>
    Vec log_joint(const RootsAndCovariances &of, ConstVector mean, double log_weight, Index c,
                  bool moments) {
        using Tiles = LaneTiles<T>;
        set_total(of.covariances.view()[c]);
        Tiles::factor(lower_.data(), p_, least_.data(), inverse_.data());
        Vec squares = {}, logs = {};
        for (Index i = 0; i < p_; ++i) {
            Vec q = i < d_ ? load(&seen_(i, 0)) * (load(&x_(i, 0)) - mean[i]) : Vec{};
            for (Index m = 0; m < i; ++m) q -= load(&lower_(i * p_ + m, 0)) * load(&q_(m, 0));
            q *= load(&inverse_(i, 0));
            store(q, &q_(i, 0));
            squares += q * q;
            // A pair of pivots stays within float64 wherever their variances do.
            if (i % 2 == 0) continue;
            logs += log_positive(load(&inverse_(i - 1, 0)) * load(&inverse_(i, 0)));
        }
        if (p_ % 2 == 1) logs += log_positive(load(&inverse_(p_ - 1, 0)));
        if (moments) {
            Tiles::solve(lower_.data(), inverse_.data(), of.roots.view()[c], seen_.data(),
                         y_.data());
            Tiles::gram(y_.data(), p_, grams_.view()[c * triangle()].data);
            for (Index j = 0; j < d_; ++j) {
                Vec z = {};
                for (Index m = j; m < d_; ++m) z += load(&y_(m * p_ + j, 0)) * load(&q_(m, 0));
                store(z, &z_(c * p_ + j, 0));
            }
        }
        return log_weight + constant_ + logs - 0.5 * squares;
    }

    const Rows &rows_;
    const Index d_;
    const bool small_;
    const Index p_;
    bool has_common_ = false;  // an error of all rows is in the lanes
    // Lanes are the last axis of all.
    Table x_, seen_, least_, inverse_, q_, errors_, lower_, y_, z_, grams_;
    Vec constant_ = {};
};

// Log joint densities (K, rows) of rows first..first+count-1.
template <int Axes>
void log_joint_of_parts(const Rows &rows, Index first, Index count, const Gaussians<Axes> &mixture,
                        Matrix joint) {
    const Index k = mixture.k();
    LaneRows lanes(rows, k);
    const RootsAndCovariances of(mixture, LaneRows::padded(mixture.d()));
    const Numbers log_weights = log_weights_of(mixture);
    for (Index b = 0; b < to_strips(count); b += LANES) {
        lanes.load_rows(first + b, std::clamp<Index>(count - b, 0, LANES));
        for (Index c = 0; c < k; ++c)
            store(lanes.log_joint(of, mixture.means.view()[c], log_weights.view()[c], c, false),
                  &joint(c, b));
    }
}

}  // namespace bayesgmm
